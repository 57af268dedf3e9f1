/** Archiving and deletion on real rows, with a process that dies before or after each of its effects. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VaultId } from '#contract/ids.ts';
import { createStamp } from '#aws/stamp.ts';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';
import { createVaultRecords } from '#aws/vault/vaults.dynamodb.ts';
import { archiveCredential, archiveVault, deleteCredential, deleteVault } from '#core/vault/retire.ts';
import { aCredential, aVault, SERVER, WORKSPACE } from '#test/ports/vaults.fixture.ts';
import { credentialPlace } from '#core/ports/vault-records.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';
import { createMemorySecrets, type MemorySecrets } from '#test/ports/secrets.memory.ts';

const EFFECTS = ['archive', 'purged', 'remove'];
/** The deletion of a vault with two credentials has ten effects. */
const MOST = 11;

describe('archiving and deleting', () => {
  let db: TestDynamoDb;
  beforeAll(async () => {
    db = await startDynamoDb();
  });
  afterAll(() => db.close());

  function worldOf(secrets: MemorySecrets) {
    const vaults = createVaultRecords(db.client, db.vaultTable);
    const credentials = createCredentialRecords(db.client, db.vaultTable);
    return { vaults, credentials, secrets, stamp: createStamp() };
  }
  type World = ReturnType<typeof worldOf>;

  /** The world of a process that dies at its `last` effect: `before` it is done, or `after`. */
  function mortal(world: World, last: number, moment: 'before' | 'after'): World {
    let effects = 0;
    const dying = <Port extends object>(port: Port): Port =>
      new Proxy(port, {
        get(target, name) {
          const method: unknown = Reflect.get(target, name);
          if (typeof method !== 'function' || !EFFECTS.includes(String(name))) return method;
          return async (...args: unknown[]) => {
            effects += 1;
            if (effects >= last && moment === 'before') throw new Error('died');
            const answer: unknown = await method.apply(target, args);
            if (effects >= last) throw new Error('died');
            return answer;
          };
        },
      });
    return {
      ...world,
      vaults: dying(world.vaults),
      credentials: dying(world.credentials),
      secrets: dying(world.secrets),
    };
  }

  async function given() {
    const secrets = createMemorySecrets();
    const world = worldOf(secrets);
    const vault = aVault();
    await world.vaults.create(WORKSPACE, vault);
    const added = async (key: string) => {
      const created = aCredential(vault.id);
      const pointers = await secrets.write(credentialPlace(created), 'mcp_oauth', { access_token: 'a' });
      await world.credentials.create({ ...created, secrets: pointers }, key);
      return credentialPlace(created);
    };
    return { world, secrets, vault: vault.id, places: [await added(SERVER), await added('another')] as const };
  }

  const active = async ({ credentials }: World, vault: VaultId) =>
    (await credentials.match(WORKSPACE, [vault], SERVER))[0]?.stored ?? null;

  const moments = Array.from({ length: MOST }, (_, index) => index + 1).flatMap((last) =>
    (['before', 'after'] as const).map((moment) => ({ last, moment })),
  );

  it.each(moments)(
    'a credential, with a death $moment effect $last, makes it unusable, and a repeat finishes',
    async (death) => {
      const { world, secrets, vault, places } = await given();
      const doomed = mortal(world, death.last, death.moment);
      await archiveCredential(doomed, places[0]).catch(String);
      if (death.last > 1 || death.moment === 'after') expect(await active(world, vault)).toBeNull();
      expect(await archiveCredential(world, places[0])).toMatchObject({ archived_at: expect.any(String) });
      expect(await world.credentials.find(places[0])).toMatchObject({ secrets: {} });
      expect(secrets.held()).toEqual([places[1].credential]);
      await deleteCredential(mortal(world, death.last, death.moment), places[1]).catch(String);
      await deleteCredential(world, places[1]);
      expect(await world.credentials.find(places[1])).toBeNull();
      expect(secrets.held()).toEqual([]);
    },
  );

  it.each(moments)(
    'a vault, with a death $moment effect $last, makes it refuse new credentials, and a repeat finishes',
    async (death) => {
      const { world, secrets, vault, places } = await given();
      const id = { workspace: WORKSPACE, id: vault };
      await archiveVault(mortal(world, death.last, death.moment), id).catch(String);
      if (death.last > 1 || death.moment === 'after') {
        expect(await world.credentials.create(aCredential(vault), 'new')).toEqual({ status: 'closed' });
      }
      expect(await archiveVault(world, id)).toMatchObject({ archived_at: expect.any(String) });
      expect(secrets.held()).toEqual([]);
      for (const place of places) {
        expect(await world.credentials.find(place)).toMatchObject({
          secrets: {},
          credential: { archived_at: expect.any(String) },
        });
      }
    },
  );

  it.each(moments)(
    'a vault that is then deleted, with a death $moment effect $last, leaves nothing in the end',
    async (death) => {
      const { world, secrets, vault, places } = await given();
      const id = { workspace: WORKSPACE, id: vault };
      const first = await deleteVault(mortal(world, death.last, death.moment), id).catch(() => false);
      if (!first) await deleteVault(world, id);
      expect(await world.vaults.find(WORKSPACE, vault)).toBeNull();
      for (const place of places) expect(await world.credentials.find(place)).toBeNull();
      expect(secrets.held()).toEqual([]);
      expect(await deleteVault(world, id)).toBe(false);
    },
  );

  it('report an unknown credential or vault differently from an archived one', async () => {
    const { world, places } = await given();
    const unknown = { ...places[0], vault: aVault().id };
    expect(await archiveCredential(world, unknown)).toBeNull();
    expect(await deleteCredential(world, unknown)).toBe(false);
    expect(await archiveVault(world, { workspace: WORKSPACE, id: unknown.vault })).toBeNull();
    expect(await deleteVault(world, { workspace: WORKSPACE, id: unknown.vault })).toBe(false);
  });

  it('a credential twice keeps the first time, and removes a secret that was written after the last removal', async () => {
    const { world, secrets, places } = await given();
    const marked = await archiveCredential(world, places[0]);
    await secrets.write(places[0], 'mcp_oauth', { access_token: 'late' });
    expect(await archiveCredential(world, places[0])).toEqual(marked);
    expect(secrets.held()).toEqual([places[1].credential]);
  });
});
