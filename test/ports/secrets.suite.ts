/** The contract of the SecretWriter and SecretReader ports; every store passes it. */
import { describe, expect, it } from 'vitest';
import { CredentialId, VaultId, WorkspaceId } from '#contract/ids.ts';
import type { SecretPointers, SecretReader, SecretWriter } from '#core/ports/secrets.ts';
import type { CredentialPlace } from '#core/ports/vault-records.ts';

export interface Secrets {
  readonly writer: SecretWriter;
  readonly reader: SecretReader;
}

let credentials = 0;

export function newPlace(): CredentialPlace {
  credentials += 1;
  return {
    workspace: WorkspaceId.parse('wrkspc_1'),
    vault: VaultId.parse('vlt_1'),
    credential: CredentialId.parse(`vcrd_${credentials}`),
  };
}

const GONE_OR_INVALID = { code: expect.stringMatching(/^(secret_unavailable|stored_data_invalid)$/) };

export function secretsSuite(store: string, open: () => Secrets): void {
  describe(`secrets in ${store}`, () => {
    it('are read as they were written, each field of its type', async () => {
      const { writer, reader } = open();
      const tokens = { access_token: 'at', refresh_token: 'rt "é" \ud83d\ude00', client_secret: ': % +' };
      const place = newPlace();
      expect(await reader.read(place, await writer.write(place, 'mcp_oauth', tokens))).toEqual(tokens);
      for (const values of [{ token: 'bearer' }, { secret_value: 'value' }]) {
        const other = newPlace();
        expect(await reader.read(other, await writer.write(other, 'mcp_oauth', values))).toEqual(values);
      }
    });

    it('are replaced field by field, and the others stay', async () => {
      const { writer, reader } = open();
      const place = newPlace();
      const first = await writer.write(place, 'mcp_oauth', { access_token: 'a1', refresh_token: 'r1' });
      const second = await writer.write(place, 'mcp_oauth', { access_token: 'a2' }, first);
      expect(Object.keys(second)).toEqual(['access_token']);
      expect(await reader.read(place, { ...first, ...second })).toEqual({ access_token: 'a2', refresh_token: 'r1' });
    });

    it('stay in force until a row points to others, so that a writer that died changes nothing', async () => {
      const { writer, reader } = open();
      const place = newPlace();
      const inForce = await writer.write(place, 'mcp_oauth', { access_token: 'a1', refresh_token: 'r1' });
      await writer.write(place, 'mcp_oauth', { access_token: 'a2', refresh_token: 'r2' }, inForce);
      expect(await reader.read(place, inForce)).toEqual({ access_token: 'a1', refresh_token: 'r1' });
    });

    it('that are written at the same time are separate versions', async () => {
      const { writer, reader } = open();
      const place = newPlace();
      const values = Array.from({ length: 8 }, (_, index) => ({ token: `bearer ${index}` }));
      const written = await Promise.all(values.map((value) => writer.write(place, 'static_bearer', value)));
      expect(await Promise.all(written.map((pointers) => reader.read(place, pointers)))).toEqual(values);
    });

    it('that are rarely written survive many refreshes of the others', async () => {
      const { writer, reader } = open();
      const place = newPlace();
      let inForce: SecretPointers = await writer.write(place, 'mcp_oauth', { client_secret: 'c', refresh_token: 'r' });
      for (let refresh = 1; refresh <= 12; refresh += 1) {
        inForce = { ...inForce, ...(await writer.write(place, 'mcp_oauth', { access_token: `a${refresh}` }, inForce)) };
      }
      const all = { access_token: 'a12', client_secret: 'c', refresh_token: 'r' };
      expect(await reader.read(place, inForce)).toEqual(all);
    });

    it('may all be as long as a client may send them', async () => {
      const { writer, reader } = open();
      const place = newPlace();
      const long = (character: string) => character.repeat(32_000);
      const values = { access_token: long('"'), refresh_token: long('\\'), client_secret: long('é') };
      expect(await reader.read(place, await writer.write(place, 'mcp_oauth', values))).toEqual(values);
    });

    it('may be no fields at all', async () => {
      const { writer, reader } = open();
      const place = newPlace();
      expect(await writer.write(place, 'mcp_oauth', {})).toEqual({});
      expect(await reader.read(place, {})).toEqual({});
    });

    it('are not read for another credential or as another field', async () => {
      const { writer, reader } = open();
      const place = newPlace();
      const mine = await writer.write(place, 'mcp_oauth', { access_token: 'a' });
      const other = newPlace();
      const theirs = await writer.write(other, 'mcp_oauth', { access_token: 'b' });
      await expect(reader.read(other, mine)).rejects.toMatchObject(GONE_OR_INVALID);
      await expect(reader.read(place, theirs)).rejects.toMatchObject(GONE_OR_INVALID);
      const swapped = { refresh_token: mine.access_token ?? '' };
      await expect(reader.read(place, swapped)).rejects.toMatchObject({ code: 'stored_data_invalid' });
    });

    it('are removed by any number of repeats, also when there are none', async () => {
      const { writer } = open();
      const place = newPlace();
      await writer.write(place, 'mcp_oauth', { access_token: 'a' });
      await writer.remove(place);
      await writer.remove(place);
      await writer.remove(newPlace());
    });
  });
}
