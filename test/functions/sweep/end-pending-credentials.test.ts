/** Creations that die between a secret and its row, on real rows, and the sweep that removes what they left. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VaultId } from '#contract/ids.ts';
import { later } from '#core/ports/stamp.ts';
import { createCredential } from '#core/vault/create-credential.ts';
import { credentialPlace, type CredentialPlace } from '#core/ports/vault-records.ts';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';
import { createStamp } from '#aws/stamp.ts';
import { createVaultRecords } from '#aws/vault/vaults.dynamodb.ts';
import { aCredential, AT, aVault, SERVER, WORKSPACE } from '#test/ports/vaults.fixture.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';
import { createMemorySecrets } from '#test/ports/secrets.memory.ts';
import { endPendingCredentials } from '../../../functions/sweep/end-pending-credentials.ts';

const MINUTE = 60_000;
const STEPS = ['credentials.announce', 'secrets.write', 'credentials.create'] as const;

describe('sweep over pending credentials', () => {
  let db: TestDynamoDb;
  beforeAll(async () => {
    db = await startDynamoDb();
  });
  afterAll(() => db.close());

  async function given() {
    const secrets = createMemorySecrets();
    const vaults = createVaultRecords(db.client, db.vaultTable);
    const credentials = createCredentialRecords(db.client, db.vaultTable);
    const vault = aVault();
    await vaults.create(WORKSPACE, vault);
    const stamp = { ...createStamp(), now: () => AT };
    const world = {
      vaults,
      credentials,
      secrets,
      serversAllowed: [],
      identities: { enterprise: null, allow: [] },
      stamp,
    };
    const told: string[] = [];
    const logger = {
      warn: () => undefined,
      error: (_message: string, { credential = '' }) => void told.push(credential),
    };
    const sweep = (minutes: number, pending: typeof world = world) =>
      endPendingCredentials({ pending, journal: { logger } }, later(AT, minutes * MINUTE));
    return { world, vault: vault.id, place: newPlace(vault.id), sweep, told };
  }
  type World = Awaited<ReturnType<typeof given>>['world'];

  const newPlace = (vault: VaultId): CredentialPlace => credentialPlace(aCredential(vault));
  const make = (world: World, place: CredentialPlace, url: string = SERVER) =>
    createCredential(world, place, { auth: { type: 'static_bearer', mcp_server_url: url, token: 'bearer-1' } });
  const rows = async ({ credentials }: World, place: CredentialPlace) => (await credentials.find(place)) !== null;

  const cases = STEPS.flatMap((step) => (['before', 'after'] as const).map((when) => ({ step, when })));

  it.each(cases)('removes a secret that has no row when a creation dies $when $step', async ({ step, when }) => {
    const { world, place, sweep } = await given();
    await expect(make(mortal(world, step, when), place)).rejects.toThrow('died');
    const isMade = step === 'credentials.create' && when === 'after';
    await sweep(14);
    const isWritten = step === 'credentials.create' || (step === 'secrets.write' && when === 'after');
    expect(world.secrets.held()).toEqual(isWritten ? [place.credential] : []);
    await sweep(16);
    expect(world.secrets.held()).toEqual(isMade ? [place.credential] : []);
    expect(await rows(world, place)).toBe(isMade);
    const stored = await world.credentials.find(place);
    if (stored !== null) expect(await world.secrets.read(place, stored.secrets)).toEqual({ token: 'bearer-1' });
  });

  it('finishes what an earlier sweep left when it died', async () => {
    const { world, place, sweep, told } = await given();
    await expect(make(mortal(world, 'credentials.create', 'before'), place)).rejects.toThrow('died');
    await sweep(16, mortal(world, 'credentials.forget', 'before'));
    expect([told, world.secrets.held()]).toEqual([[place.credential], []]);
    const overdue = async () => {
      for await (const one of world.credentials.overdue(later(AT, MINUTE)))
        if (one.credential === place.credential) return true;
      return false;
    };
    expect(await overdue()).toBe(true);
    await sweep(16);
    expect(await overdue()).toBe(false);
  });

  it('goes on with the next credential when a secret cannot be removed', async () => {
    const { world, vault, place, sweep, told } = await given();
    const other = newPlace(vault);
    for (const one of [place, other]) {
      await expect(make(mortal(world, 'credentials.create', 'before'), one)).rejects.toThrow('died');
    }
    await sweep(16, mortal(world, 'secrets.remove', 'before'));
    expect([told.length, world.secrets.held()]).toEqual([1, told]);
    await sweep(16);
    expect(world.secrets.held()).toEqual([]);
  });

  it('removes nothing of a credential that has its row, although an old list names it', async () => {
    const { world, place, sweep } = await given();
    await make(world, place);
    const overdue = async function* () {
      yield place;
    };
    await sweep(16, { ...world, credentials: { ...world.credentials, overdue } });
    expect(world.secrets.held()).toEqual([place.credential]);
  });

  it('removes the pending entry of a refused creation, and of no other', async () => {
    const { world, vault, place, sweep } = await given();
    await make(world, place);
    const match: World['credentials']['match'] = async (...asked) =>
      (await world.credentials.match(...asked)).map((found) => ({ ...found, stored: null }));
    const refused = await make({ ...world, credentials: { ...world.credentials, match } }, newPlace(vault));
    expect(refused).toMatchObject({ type: 'conflict_error' });
    await sweep(16);
    expect(world.secrets.held()).toEqual([place.credential]);
  });
});

/** The world of a process that dies at its next use of the step. */
function mortal<World extends object>(world: World, step: string, when: 'before' | 'after'): World {
  const [part = '', method = ''] = step.split('.');
  const ports = world as Record<string, Record<string, (...given: unknown[]) => Promise<unknown>>>;
  const work = ports[part]?.[method];
  if (work === undefined) throw new Error(`there is no step ${step}`);
  let isDead = false;
  const dying = async (...given: unknown[]) => {
    if (isDead) return work(...given);
    isDead = true;
    if (when === 'after') await work(...given);
    throw new Error(`died ${when} ${step}`);
  };
  return { ...world, [part]: { ...ports[part], [method]: dying } };
}
