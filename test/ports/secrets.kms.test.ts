import { createCipheriv } from 'node:crypto';
import { GenerateDataKeyCommand } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKmsReader, createKmsWriter } from '#aws/vault/secrets.kms.ts';
import type { SecretPointers } from '#core/ports/secrets.ts';
import { removeScratchDirs } from '#test/infra/local/aws/aws.fixture.ts';
import { startSecretsWorld, type SecretsWorld } from '#test/ports/secrets-world.ts';
import { newPlace, secretsSuite, type Secrets } from '#test/ports/secrets.suite.ts';

let secrets: SecretsWorld;
beforeAll(async () => {
  secrets = await startSecretsWorld();
});
afterAll(async () => {
  await secrets.close();
  removeScratchDirs();
});

function open(): Secrets {
  return {
    writer: createKmsWriter(secrets.as.writer.kms, secrets.keyArn),
    reader: createKmsReader(secrets.as.reader.kms, secrets.keyArn),
  };
}

secretsSuite('pointers sealed by KMS', open);

/** `dynamodb-kms:<version>`, the sealed data key, and the box. */
const partsOf = (pointer = '') => pointer.split('.') as [string, string, string];
const INVALID = { code: 'stored_data_invalid', cause: undefined };

describe('a secret sealed by KMS', () => {
  it('is in its pointer and unreadable there', async () => {
    const { writer } = open();
    const { token = '' } = await writer.write(newPlace(), 'static_bearer', { token: 'canary' });
    expect(token).toMatch(/^dynamodb-kms:[0-9a-f-]{36}\.[\w-]+\.[\w-]+$/);
    const parts = token.split('.').map((part) => Buffer.from(part, 'base64url').toString('latin1'));
    expect(parts.join()).not.toContain('canary');
  });

  it('cannot be opened in another row, field or version', async () => {
    const { writer, reader } = open();
    const place = newPlace();
    const other = newPlace();
    const write = (at: typeof place) => writer.write(at, 'mcp_oauth', { access_token: 'a', refresh_token: 'r' });
    const [mine, again, theirs] = [await write(place), await write(place), await write(other)];
    const [version] = partsOf(mine.access_token);
    const [, dataKey, box] = partsOf(again.access_token);
    const swaps: readonly SecretPointers[] = [
      theirs,
      { access_token: mine.refresh_token ?? '', refresh_token: mine.access_token ?? '' },
      { access_token: [version, dataKey, box].join('.') },
    ];
    for (const swapped of swaps) await expect(reader.read(place, swapped)).rejects.toMatchObject(INVALID);
  });

  it('cannot be opened with another data key or box, cut short, or changed', async () => {
    const { writer, reader } = open();
    const place = newPlace();
    const { access_token } = await writer.write(place, 'mcp_oauth', { access_token: 'one' });
    const { access_token: other } = await writer.write(place, 'mcp_oauth', { access_token: 'two' });
    const [version, dataKey, box] = partsOf(access_token);
    const [, otherKey, otherBox] = partsOf(other);
    const changed = `${box.startsWith('A') ? 'B' : 'A'}${box.slice(1)}`;
    for (const parts of [
      [version, otherKey, box],
      [version, dataKey, otherBox],
      [version, dataKey, box.slice(0, -4)],
      [version, dataKey, box.slice(0, 20)],
      [version, dataKey, changed],
      [version, dataKey],
      [version, 'AAAA', box],
    ]) {
      const pointers = { access_token: parts.join('.') };
      await expect(reader.read(place, pointers)).rejects.toMatchObject(INVALID);
    }
  });

  it('is bound to its row, field and version also by the cipher', async () => {
    const place = newPlace();
    const version = '00000000-0000-4000-8000-000000000000';
    const context = { app: 'brainstem', ws: place.workspace, vlt: place.vault, vcrd: place.credential, field: 'token' };
    const EncryptionContext = { ...context, version };
    const { Plaintext = new Uint8Array(), CiphertextBlob = new Uint8Array() } = await secrets.as.writer.kms.send(
      new GenerateDataKeyCommand({ KeyId: secrets.keyArn, KeySpec: 'AES_256', EncryptionContext }),
    );
    const pointerWith = (boundTo: string) => {
      const iv = Buffer.alloc(12);
      const cipher = createCipheriv('aes-256-gcm', Plaintext, iv).setAAD(Buffer.from(boundTo));
      const text = Buffer.concat([cipher.update('secret'), cipher.final()]);
      const box = Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64url');
      return `dynamodb-kms:${version}.${Buffer.from(CiphertextBlob).toString('base64url')}.${box}`;
    };
    const { reader } = open();
    const bound = JSON.stringify(EncryptionContext);
    expect(await reader.read(place, { token: pointerWith(bound) })).toEqual({ token: 'secret' });
    await expect(reader.read(place, { token: pointerWith('') })).rejects.toMatchObject(INVALID);
  });

  it('cannot be opened with another key of the account', async () => {
    const { reader } = open();
    const place = newPlace();
    const writer = createKmsWriter(secrets.as.writer.kms, secrets.otherKeyArn);
    const pointers = await writer.write(place, 'mcp_oauth', { access_token: 'a' });
    await expect(reader.read(place, pointers)).rejects.toMatchObject(INVALID);
  });

  it('is written by a role that cannot open it', async () => {
    const { writer } = open();
    const place = newPlace();
    const pointers = await writer.write(place, 'mcp_oauth', { access_token: 'a' });
    const reader = createKmsReader(secrets.as.writer.kms, secrets.keyArn);
    await expect(reader.read(place, pointers)).rejects.toMatchObject({
      code: 'secret_unavailable',
      cause: { name: 'AccessDeniedException' },
    });
  });
});
