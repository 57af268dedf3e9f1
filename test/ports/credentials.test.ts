import type { UpdateItemCommand, AttributeValue, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VaultId, WorkspaceId } from '#contract/ids.ts';
import type { CredentialAuth } from '#contract/credentials.ts';
import { USER_KEY, type Vault } from '#contract/vaults.ts';
import { MAX_CREDENTIALS, type CredentialRecords, type VaultRecords } from '#core/ports/vault-records.ts';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';
import { createRefreshLeases } from '#aws/vault/refresh-leases.dynamodb.ts';
import { vaultKey } from '#aws/vault/vault-row.ts';
import { createVaultRecords } from '#aws/vault/vaults.dynamodb.ts';
import { createTable } from '#aws/table.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';
import {
  aCredential,
  asNew,
  AT,
  aVault,
  LATER,
  OAUTH,
  SERVER,
  STRANGER,
  WORKSPACE,
} from '#test/ports/vaults.fixture.ts';
import { credentialPlace } from '#core/ports/vault-records.ts';

const VARIABLE: CredentialAuth = {
  type: 'environment_variable',
  secret_name: 'TOKEN',
  networking: { type: 'unrestricted' },
  injection_location: { header: true, body: true },
};
const LIST = {
  workspace: WORKSPACE,
  order: 'desc',
  from: null,
  to: null,
  includeArchived: false,
  beyond: null,
  direction: 'next',
  limit: 100,
} as const;

async function all<Value>(values: AsyncIterable<Value>): Promise<readonly Value[]> {
  const found: Value[] = [];
  for await (const value of values) found.push(value);
  return found;
}

describe('the records of credentials', () => {
  let db: TestDynamoDb;
  let vaults: VaultRecords;
  let credentials: CredentialRecords;
  beforeAll(async () => {
    db = await startDynamoDb();
    vaults = createVaultRecords(db.client, db.vaultTable);
    credentials = createCredentialRecords(db.client, db.vaultTable);
  });
  afterAll(() => db.close());

  async function openVault(): Promise<VaultId> {
    const vault = aVault();
    await vaults.create(WORKSPACE, vault);
    return vault.id;
  }

  async function saved(vault: VaultId, key: string = SERVER, auth: CredentialAuth = OAUTH) {
    const created = aCredential(vault, auth);
    expect(await credentials.create(created, key)).toEqual({ status: 'created' });
    return { created, place: credentialPlace(created) };
  }

  /** Replaces a row that no other request has replaced since it was read. */
  function renamed(vault: Vault, user: string, active = 0) {
    const metadata = { [USER_KEY]: user };
    return vaults.replace(WORKSPACE, { vault: { ...vault, metadata }, revision: 0, active });
  }

  const every = (workspace: WorkspaceId, vault: VaultId) => all(credentials.ofVault(workspace, vault));

  it('hold what was stored at the creation', async () => {
    const { created, place } = await saved(await openVault());
    expect(await credentials.find(place)).toEqual(asNew(created));
    expect(await credentials.find({ ...place, workspace: STRANGER })).toBeNull();
    expect(await credentials.find({ ...place, vault: await openVault() })).toBeNull();
  });

  it('let one of ten concurrent creations have the same key', async () => {
    const vault = await openVault();
    const answers = await Promise.all(Array.from({ length: 10 }, () => credentials.create(aCredential(vault), SERVER)));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 'created')).toHaveLength(1);
    expect(statuses.filter((status) => status === 'duplicate')).toHaveLength(9);
    expect((await credentials.list(vault, LIST)).rows).toHaveLength(1);
  });

  it('take as many as a vault may hold, and one more after one is archived', async () => {
    const vault = await openVault();
    const asked = Array.from({ length: MAX_CREDENTIALS + 5 }, (_, index) => `${SERVER}/${index}`);
    const answers = await Promise.all(asked.map((key) => credentials.create(aCredential(vault), key)));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 'created')).toHaveLength(MAX_CREDENTIALS);
    expect(statuses.filter((status) => status === 'full')).toHaveLength(5);
    const [one, two] = (await credentials.list(vault, LIST)).rows.map(({ item }) => item.id);
    if (one === undefined || two === undefined) throw new Error('the vault is empty');
    const place = { workspace: WORKSPACE, vault };
    await Promise.all([1, 2, 3].map(() => credentials.archive({ ...place, credential: one }, AT)));
    await Promise.all([1, 2, 3].map(() => credentials.remove({ ...place, credential: two })));
    await credentials.remove({ ...place, credential: one });
    for (const status of ['created', 'created', 'full']) {
      expect(await credentials.create(aCredential(vault), `${SERVER}/${crypto.randomUUID()}`)).toEqual({ status });
    }
  });

  it('take none for a vault that is archived, deleted or of another workspace', async () => {
    const archived = await openVault();
    await vaults.archive(WORKSPACE, archived, AT);
    const vault = await openVault();
    for (const created of [
      aCredential(archived),
      aCredential(aVault().id),
      { ...aCredential(vault), workspace: STRANGER },
    ]) {
      expect(await credentials.create(created, SERVER)).toEqual({ status: 'closed' });
      expect(await credentials.find(credentialPlace(created))).toBeNull();
    }
  });

  it('take one for a user only in a vault that names this user or none', async () => {
    const [alices, userless] = [aVault('alice'), aVault()];
    await Promise.all([alices, userless].map((vault) => vaults.create(WORKSPACE, vault)));
    const create = async (vault: Vault, user?: string) =>
      (await credentials.create(aCredential(vault.id), `${SERVER}/${crypto.randomUUID()}`, user)).status;
    expect([await create(alices, 'alice'), await create(alices), await create(userless)]).toEqual(
      Array(3).fill('created'),
    );
    expect([await create(alices, 'bob'), await create(userless, 'alice')]).toEqual(['closed', 'closed']);
    expect(await renamed(userless, 'alice', 1)).toBe('saved');
    expect([await create(userless, 'bob'), await create(userless, 'alice')]).toEqual(['closed', 'created']);
    expect(await vaults.findRevised(WORKSPACE, userless.id)).toMatchObject({ active: 2 });
    for (let index = 2; index < MAX_CREDENTIALS; index += 1) await create(alices);
    expect([await create(alices, 'bob'), await create(alices, 'alice')]).toEqual(['closed', 'full']);
  });

  it('take one for a user also in a vault with a row that names its user only in the body', async () => {
    const vault = aVault('alice');
    await vaults.create(WORKSPACE, vault);
    await createTable(db.client, db.vaultTable).update(vaultKey(WORKSPACE, vault.id), { set: { namedUser: null } });
    expect(await credentials.create(aCredential(vault.id), `${SERVER}/1`, 'alice')).toEqual({ status: 'created' });
    expect(await renamed(vault, 'bob', 1)).toBe('saved');
    expect(await credentials.create(aCredential(vault.id), `${SERVER}/2`, 'alice')).toEqual({ status: 'closed' });
  });

  it('take none for one user while the vault changes to another user', async () => {
    const race = async (index: number) => {
      const vault = aVault('alice');
      await vaults.create(WORKSPACE, vault);
      const racing = [
        async () => (await credentials.create(aCredential(vault.id), SERVER, 'alice')).status,
        () => renamed(vault, 'bob'),
      ];
      const answers = await Promise.all((index % 2 === 0 ? racing : racing.toReversed()).map((run) => run()));
      const [match] = await credentials.match(WORKSPACE, [vault.id], SERVER);
      return `${answers.toSorted().join()}: ${match?.vault?.metadata[USER_KEY]}, ${match?.stored == null ? 0 : 1}`;
    };
    const ends = await Promise.all(Array.from({ length: 20 }, (_, index) => race(index)));
    for (const end of ends) expect(['conflict,created: alice, 1', 'closed,saved: bob, 0']).toContain(end);
  });

  it('archive once, keep the first time, and free the key', async () => {
    const vault = await openVault();
    const { created, place } = await saved(vault);
    const archived = { ...asNew(created), version: 2, credential: { ...created.credential, archived_at: AT } };
    expect(await credentials.archive({ ...place, workspace: STRANGER }, AT)).toBeNull();
    expect(await credentials.archive(place, AT)).toEqual(archived);
    expect(await credentials.archive(place, LATER)).toEqual(archived);
    const { place: second } = await saved(vault);
    // A repeat leaves the key to the credential that has it now.
    await credentials.archive(place, LATER);
    expect(await credentials.create(aCredential(vault), SERVER)).toEqual({ status: 'duplicate' });
    await credentials.remove(place);
    expect((await credentials.match(WORKSPACE, [vault], SERVER))[0]?.stored?.credential.id).toBe(second.credential);
  });

  it('drop the pointers of an archived credential, and of no other', async () => {
    const { place } = await saved(await openVault());
    await credentials.purged(place);
    expect(await credentials.find(place)).toMatchObject({ secrets: { access_token: 'sm:1' } });
    await credentials.archive(place, AT);
    await credentials.purged(place);
    await credentials.purged(place);
    expect(await credentials.find(place)).toMatchObject({ secrets: {}, credential: { archived_at: AT } });
    await credentials.remove(place);
    await credentials.purged(place);
    expect(await credentials.find(place)).toBeNull();
  });

  it('delete a credential, archived or active, and free its key', async () => {
    const vault = await openVault();
    for (const archived of [false, true]) {
      const { place } = await saved(vault);
      if (archived) await credentials.archive(place, AT);
      expect(await credentials.remove({ ...place, workspace: STRANGER })).toBe(false);
      expect(await credentials.remove(place)).toBe(true);
      expect(await credentials.remove(place)).toBe(false);
      expect(await credentials.find(place)).toBeNull();
    }
    await saved(vault);
  });

  it('replace the row that was read, once, and clear the state of a refresh', async () => {
    const { created, place } = await saved(await openVault());
    const leases = createRefreshLeases(db.client, db.vaultTable);
    await leases.take(place, 1, { owner: 'a', now: AT, until: LATER });
    await leases.failed(place, { version: 1, owner: 'a' }, { until: LATER, failures: 3 });
    const expired = { ...OAUTH, expires_at: null };
    const changed = { ...created.credential, auth: expired, display_name: 'one', updated_at: LATER };
    const next = { ...asNew(created), credential: changed, secrets: { token: 'sm:2' }, version: 2 } as const;
    const answers = await Promise.all([1, 2, 3].map(() => credentials.replace({ ...next, state: 'needs_reauth' })));
    expect(answers.toSorted()).toEqual(['conflict', 'conflict', 'saved']);
    expect(await credentials.find(place)).toEqual({ ...next, state: 'ok' });
  });

  it('replace no row that is archived or deleted', async () => {
    const { created, place } = await saved(await openVault());
    const next = { ...asNew(created), state: 'ok' } as const;
    await credentials.archive(place, AT);
    for (const version of [2, 3]) expect(await credentials.replace({ ...next, version })).toBe('conflict');
    await credentials.remove(place);
    for (const version of [2, 3]) expect(await credentials.replace({ ...next, version })).toBe('conflict');
    expect(await credentials.find(place)).toBeNull();
  });

  it('are listed per vault', async () => {
    const vault = await openVault();
    const { place } = await saved(vault, 'one');
    const { place: other } = await saved(vault, 'two');
    await saved(await openVault());
    await credentials.archive(place, AT);
    const ids = async (asked: Partial<Parameters<CredentialRecords['list']>[1]> = {}) =>
      (await credentials.list(vault, { ...LIST, ...asked })).rows.map(({ item }) => item.id);
    expect(await ids()).toEqual([other.credential]);
    expect((await ids({ includeArchived: true })).toSorted()).toEqual([place.credential, other.credential].toSorted());
    expect(await ids({ workspace: STRANGER })).toEqual([]);
    const first = await credentials.list(vault, { ...LIST, includeArchived: true, limit: 1 });
    const rest = await ids({ includeArchived: true, beyond: first.more });
    expect([first.rows[0]?.item.id, ...rest]).toEqual(await ids({ includeArchived: true }));
  });

  it('list all credentials of a vault, and the active ones of a type', async () => {
    const vault = await openVault();
    const { place } = await saved(vault, 'TOKEN', VARIABLE);
    await saved(vault);
    const names = async (type: CredentialAuth['type'], workspace = WORKSPACE) =>
      (await credentials.active(workspace, vault, type)).map(({ credential: { auth } }) =>
        auth.type === 'environment_variable' ? auth.secret_name : auth.mcp_server_url,
      );
    expect(await names('environment_variable')).toEqual(['TOKEN']);
    expect(await names('mcp_oauth')).toEqual([SERVER]);
    expect(await names('static_bearer')).toEqual([]);
    expect(await names('environment_variable', STRANGER)).toEqual([]);
    await credentials.archive(place, AT);
    expect(await names('environment_variable')).toEqual([]);
    const all = await every(WORKSPACE, vault);
    expect(all.map(({ credential }) => credential.archived_at).toSorted()).toEqual([AT, null]);
    expect(await every(STRANGER, vault)).toEqual([]);
  });

  it('are overdue from the announcement until the row is created or the announcement is removed', async () => {
    const [came, lost, late] = [aCredential(await openVault()), aCredential(aVault().id), aCredential(aVault().id)];
    for (const one of [came, lost]) await credentials.announce(credentialPlace(one), AT);
    await credentials.announce(credentialPlace(late), LATER);
    const overdue = () => all(credentials.overdue(LATER));
    expect(new Set(await overdue())).toEqual(new Set([credentialPlace(came), credentialPlace(lost)]));
    expect(await credentials.create({ ...lost, workspace: STRANGER }, SERVER)).toEqual({ status: 'closed' });
    await credentials.create(came, SERVER);
    expect(await overdue()).toEqual([credentialPlace(lost)]);
    for (const at of [AT, LATER]) await credentials.forget(credentialPlace(lost), at);
    expect(await overdue()).toEqual([]);
  });

  it('match vaults in their order with their active credential', async () => {
    const [first, second, third] = [await openVault(), await openVault(), await openVault()];
    const { place } = await saved(first);
    const { created } = await saved(second);
    const asked = [third, second, aVault().id, first];
    const ids = async () =>
      (await credentials.match(WORKSPACE, asked, SERVER)).map(({ vault, stored }) => [
        vault?.id,
        stored?.credential.id,
      ]);
    const found = [second, created.credential.id];
    expect(await ids()).toEqual([[third, undefined], found, [undefined, undefined], [first, place.credential]]);
    await credentials.archive(place, AT);
    expect(await ids()).toEqual([[third, undefined], found, [undefined, undefined], [first, undefined]]);
    await vaults.archive(WORKSPACE, second, AT);
    expect(await credentials.match(WORKSPACE, [second], SERVER)).toMatchObject([{ vault: { archived_at: AT } }]);
    expect(await credentials.match(STRANGER, [second], SERVER)).toEqual([{ vault: null, stored: null }]);
    expect(await credentials.match(WORKSPACE, [second], 'another')).toMatchObject([{ stored: null }]);
  });

  it('match with the present user of the vault, not with the one before', async () => {
    const vault = aVault('alice');
    await vaults.create(WORKSPACE, vault);
    let handedOver: Promise<unknown> | undefined;
    const handOver = async () => {
      await renamed(vault, 'bob');
      await credentials.create(aCredential(vault.id), SERVER, 'bob');
    };
    // As soon as the vault's row has been read, the vault changes to Bob and gets his credential.
    const send = async (command: Parameters<DynamoDBClient['send']>[0]) => {
      const { Key } = command.input as { readonly Key?: Readonly<Record<string, AttributeValue>> };
      if (Key?.['sk']?.S !== 'VAULT') await handedOver;
      const answer = db.client.send(command as UpdateItemCommand);
      if (Key?.['sk']?.S === 'VAULT') await (handedOver = answer.then(handOver));
      return answer;
    };
    const slow = createCredentialRecords({ send } as unknown as DynamoDBClient, db.vaultTable);
    expect(await slow.match(WORKSPACE, [vault.id], SERVER)).toMatchObject([{ stored: null }]);
    expect(await slow.match(WORKSPACE, [vault.id], SERVER)).toMatchObject([
      { vault: { metadata: { [USER_KEY]: 'bob' } }, stored: { version: 1 } },
    ]);
  });
});
