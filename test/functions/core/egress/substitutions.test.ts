/** The variables of a sandbox, and what the egress proxy is told to put in their place, on real rows. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditEntry } from '#contract/audit.ts';
import type { CredentialAuth } from '#contract/credentials.ts';
import { Substitution, type Reach, type SandboxVariable } from '#contract/egress.ts';
import { CredentialId, SessionId, type VaultId, type WorkspaceId } from '#contract/ids.ts';
import { USER_KEY, type Vault } from '#contract/vaults.ts';
import { placeholders } from '#core/egress/placeholder.ts';
import { createSubstitutions, type SubstitutionsWorld } from '#core/egress/substitutions.ts';
import { chooseVariables, MAX_VARIABLES, meets } from '#core/egress/variables.ts';
import { Fault } from '#core/ports/errors.ts';
import type { StoredCredential } from '#core/ports/vault-records.ts';
import { archiveCredential, archiveVault, deleteCredential, deleteVault } from '#core/vault/retire.ts';
import { hmac } from '#aws/stamp.ts';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';
import { createVaultRecords } from '#aws/vault/vaults.dynamodb.ts';
import { steadyStamp } from '#test/functions/core/given.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';
import { createMemorySecrets } from '#test/ports/secrets.memory.ts';
import { aCredential, aVault, LATER, OAUTH, STRANGER, WORKSPACE } from '#test/ports/vaults.fixture.ts';

type VariableAuth = Extract<CredentialAuth, { type: 'environment_variable' }>;
const ANYWHERE: Reach = { type: 'unrestricted' };
const NOWHERE: Reach = { type: 'none' };
const limitedTo = (...hosts: string[]): Reach => ({ type: 'limited', hosts });
const onlyTo = (...hosts: string[]): VariableAuth['networking'] => ({ type: 'limited', allowed_hosts: hosts });
const SESSION = SessionId.parse('sesn_1');

let db: TestDynamoDb;
let rows: Pick<SubstitutionsWorld, 'vaults' | 'credentials'>;
beforeAll(async () => {
  db = await startDynamoDb();
  rows = {
    vaults: createVaultRecords(db.client, db.vaultTable),
    credentials: createCredentialRecords(db.client, db.vaultTable),
  };
});
afterAll(() => db.close());

/** A store of secrets, a clock, and the function's one instance. */
function world() {
  const stamp = steadyStamp();
  const memory = createMemorySecrets();
  const reads: CredentialId[] = [];
  const audited: AuditEntry[] = [];
  const failing = { audit: false };
  const substitutions = createSubstitutions({
    ...rows,
    hmac,
    nowMs: () => Date.parse(stamp.now()),
    secrets: {
      async read(place, pointers) {
        reads.push(place.credential);
        return memory.read(place, pointers);
      },
    },
    audit: {
      async record(_workspace, _about, entry) {
        if (failing.audit) throw new Fault('audit_unavailable', 'no table');
        audited.push(entry);
      },
    },
  });
  return { stamp, memory, reads, audited, failing, substitutions, retiring: { ...rows, secrets: memory, stamp } };
}

async function openVault(user?: string): Promise<Vault> {
  const vault = aVault(user);
  await rows.vaults.create(WORKSPACE, vault);
  return vault;
}

type World = ReturnType<typeof world>;

async function keep({ memory }: Pick<World, 'memory'>, vault: VaultId, name: string, auth: Partial<VariableAuth> = {}) {
  const created = aCredential(vault, {
    type: 'environment_variable',
    secret_name: name,
    networking: { type: 'unrestricted' },
    injection_location: { header: true, body: false },
    ...auth,
  });
  const place = { workspace: WORKSPACE, vault, credential: created.credential.id };
  const secrets = await memory.write(place, 'environment_variable', { secret_value: `secret of ${name}` });
  expect(await rows.credentials.create({ ...created, secrets }, name)).toEqual({ status: 'created' });
  return { place, id: created.credential.id };
}

async function rotate({ memory }: World, { place }: { place: Parameters<typeof memory.read>[0] }, secret: string) {
  const stored = (await rows.credentials.find(place)) as StoredCredential;
  const secrets = await memory.write(place, 'environment_variable', { secret_value: secret });
  expect(await rows.credentials.replace({ ...stored, secrets, version: stored.version + 1 })).toBe('saved');
}

const choose = (vaults: readonly Vault[], reach: Reach = ANYWHERE, workspace: WorkspaceId = WORKSPACE) =>
  chooseVariables(rows, { workspace, vaults: vaults.map(({ id }) => id) }, reach);
const names = (variables: readonly SandboxVariable[]) => variables.map(({ name }) => name);

describe('the variables of a sandbox', () => {
  it('are those of its vaults, and the first vault that has a name decides it', async () => {
    const given = world();
    const [first, second, archived] = [await openVault(), await openVault(), await openVault()];
    const { id } = await keep(given, second.id, 'SHARED');
    await keep(given, second.id, 'OTHER');
    const { id: ofFirst } = await keep(given, first.id, 'SHARED');
    await keep(given, archived.id, 'GONE');
    await rows.vaults.archive(WORKSPACE, archived.id, LATER);
    await rows.credentials.create(aCredential(first.id, OAUTH), 'https://mcp.example.com/mcp');
    const variables = await choose([archived, first, second]);
    expect(names(variables).toSorted()).toEqual(['OTHER', 'SHARED']);
    expect(variables.find(({ name }) => name === 'SHARED')).toEqual({
      name: 'SHARED',
      vault: first.id,
      credential: ofFirst,
    });
    const turned = await choose([second, first]);
    expect(turned.find(({ name }) => name === 'SHARED')?.credential).toBe(id);
    expect(await choose([first, second], ANYWHERE, STRANGER)).toEqual([]);
  });

  it('are none when the vaults belong to two users', async () => {
    const given = world();
    const [ada, bob, nobody] = [await openVault('ada'), await openVault('bob'), await openVault()];
    await keep(given, ada.id, 'ADA');
    await keep(given, nobody.id, 'NOBODY');
    expect(names(await choose([ada, nobody])).toSorted()).toEqual(['ADA', 'NOBODY']);
    expect(await choose([ada, nobody, bob])).toEqual([]);
  });

  it('are at most as many as a record holds', async () => {
    const given = world();
    const vaults = await Promise.all(Array.from({ length: 6 }, () => openVault()));
    for (const [index, { id }] of vaults.entries()) {
      await Promise.all(Array.from({ length: 20 }, (_, number) => keep(given, id, `NAME_${index}_${number}`)));
    }
    const variables = await choose(vaults);
    expect(variables).toHaveLength(MAX_VARIABLES);
    expect(variables.filter(({ vault }) => vault === vaults[5]?.id)).toEqual([]);
  });

  it('are unreachable when no host of the credential is one of the sandbox', async () => {
    const given = world();
    const vault = await openVault();
    const { id } = await keep(given, vault.id, 'API', { networking: onlyTo('API.example.com') });
    await keep(given, vault.id, 'ANY');
    const unreachable = async (reach: Reach) =>
      names((await choose([vault], reach)).filter((each) => each.unreachable)).toSorted();
    expect(await unreachable(limitedTo('api.example.com'))).toEqual([]);
    expect(await unreachable(limitedTo('other.example.com'))).toEqual(['API']);
    expect(await unreachable(limitedTo())).toEqual(['ANY', 'API']);
    expect(await unreachable(NOWHERE)).toEqual(['ANY', 'API']);
    expect(await unreachable(ANYWHERE)).toEqual([]);
    // The commands still find the variable.
    expect((await choose([vault], NOWHERE)).map(({ credential }) => credential)).toContain(id);
  });
});

it.each([
  [['a.com'], ['a.com'], true],
  [['a.com'], ['b.com', 'a.com'], true],
  [['*.a.com'], ['x.a.com'], true],
  [['*.a.com'], ['x.y.a.com'], true],
  [['x.a.com'], ['*.a.com'], true],
  [['*.a.com'], ['*.b.a.com'], true],
  [['*.b.a.com'], ['*.a.com'], true],
  [['*.a.com'], ['*.a.com'], true],
  [['*.A.com'], ['x.a.com'], true],
  [['192.0.2.1'], ['192.0.2.1'], true],
  [['*.a.com'], ['a.com'], false],
  [['a.com'], ['*.a.com'], false],
  [['a.com'], ['ba.com'], false],
  [['*.a.com'], ['ba.com'], false],
  [['*.a.com'], ['*.ba.com'], false],
  [['*.a.com'], ['a.com.evil.org'], false],
  [['*.b.a.com'], ['b.a.com', 'c.a.com'], false],
])('hosts %j of a credential and %j of a sandbox meet: %s', (ofCredential, ofSandbox, expected) => {
  expect(meets(onlyTo(...ofCredential), limitedTo(...ofSandbox))).toBe(expected);
});

describe('the substitutions of a sandbox', () => {
  const asking = (variables: readonly SandboxVariable[], token = 'token-1') => ({
    ...{ workspace: WORKSPACE, session: SESSION, sandbox: `${SESSION}/main/1`, token, variables, reach: ANYWHERE },
  });
  const secretsIn = (substitutions: readonly Substitution[]) => substitutions.map(({ secret }) => secret).toSorted();

  it('have the secrets, hosts and places of the credentials', async () => {
    const given = world();
    const vault = await openVault('ada');
    const any = await keep(given, vault.id, 'ANY', { injection_location: { header: false, body: true } });
    const one = await keep(given, vault.id, 'ONE', { networking: onlyTo('API.example.com', '*.example.org') });
    const variables = await choose([vault]);
    const found = await given.substitutions(asking(variables));
    const placeholder = expect.stringMatching(/^placeholder_[0-9a-f]{48}$/);
    expect(new Set(found)).toEqual(
      new Set([
        { credential: any.id, placeholder, secret: 'secret of ANY', hosts: null, header: false, body: true },
        {
          ...{ credential: one.id, placeholder, secret: 'secret of ONE' },
          ...{ hosts: ['api.example.com', '*.example.org'], header: true, body: false },
        },
      ]),
    );
    for (const each of found) expect(Substitution.parse(each)).toEqual(each);
  });

  it('have another placeholder for each session, sandbox and credential, and the same one each time', async () => {
    const given = world();
    const vault = await openVault();
    await keep(given, vault.id, 'ONE');
    await keep(given, vault.id, 'TWO');
    const variables = await choose([vault]);
    const placeholdersIn = async (of: ReturnType<typeof asking>) =>
      (await given.substitutions(of)).map(({ placeholder }) => placeholder);
    const here = await placeholdersIn(asking(variables));
    const all = [
      ...here,
      ...(await placeholdersIn(asking(variables, 'token-2'))),
      ...(await placeholdersIn({ ...asking(variables), session: SessionId.parse('sesn_2') })),
    ];
    expect(new Set(all).size).toBe(6);
    expect(await placeholdersIn(asking(variables))).toEqual(here);
    // The commands of the sandbox find the same ones.
    const found = placeholders({ hmac }, { session: SESSION, token: 'token-1' }, variables);
    expect(Object.keys(found).toSorted()).toEqual(['ONE', 'TWO']);
    expect(Object.values(found).toSorted()).toEqual(here.toSorted());
  });

  it.each<[string, (given: World, place: Awaited<ReturnType<typeof keep>>['place']) => Promise<unknown>]>([
    ['archived', ({ retiring }, place) => archiveCredential(retiring, place)],
    ['marked as archived', ({ retiring }, place) => retiring.credentials.archive(place, LATER)],
    ['deleted', ({ retiring }, place) => deleteCredential(retiring, place)],
    [
      'in a vault that is archived',
      ({ retiring }, { workspace, vault: id }) => archiveVault(retiring, { workspace, id }),
    ],
    ['in a vault that is marked', ({ retiring }, { vault }) => retiring.vaults.archive(WORKSPACE, vault, LATER)],
    [
      'in a vault that is deleted',
      ({ retiring }, { workspace, vault: id }) => deleteVault(retiring, { workspace, id }),
    ],
  ])('lack a credential that is %s, although the instance knows its secret', async (_, retire) => {
    const given = world();
    const [vault, other] = [await openVault(), await openVault()];
    const { place } = await keep(given, vault.id, 'GONE');
    await keep(given, other.id, 'STAYS');
    const variables = await choose([vault, other]);
    expect(secretsIn(await given.substitutions(asking(variables)))).toEqual(['secret of GONE', 'secret of STAYS']);
    await retire(given, place);
    expect(secretsIn(await given.substitutions(asking(variables)))).toEqual(['secret of STAYS']);
    expect(names(await choose([vault, other]))).toEqual(['STAYS']);
  });

  it('have a rotated secret with the next grant, and read each version once in five minutes', async () => {
    const given = world();
    const vault = await openVault();
    const kept = await keep(given, vault.id, 'KEY');
    const variables = await choose([vault]);
    const secrets = async () => secretsIn(await given.substitutions(asking(variables)));
    for (let grant = 0; grant < 3; grant += 1) expect(await secrets()).toEqual(['secret of KEY']);
    expect(given.reads).toHaveLength(1);
    await rotate(given, kept, 'another secret');
    expect(await secrets()).toEqual(['another secret']);
    expect(given.reads).toHaveLength(2);
    given.stamp.advance(300_000);
    expect(await secrets()).toEqual(['another secret']);
    expect(given.reads).toHaveLength(3);
  });

  it('are none when two of the vaults name two users, and none of a vault or workspace that is not theirs', async () => {
    const given = world();
    const [ada, bob] = [await openVault('ada'), await openVault('bob')];
    await keep(given, ada.id, 'ADA');
    await keep(given, bob.id, 'BOB');
    const [ofAda, ofBob] = [await choose([ada]), await choose([bob])];
    expect(await given.substitutions(asking([...ofAda, ...ofBob]))).toEqual([]);
    const misplaced = ofAda.map((variable) => ({ ...variable, vault: bob.id }));
    expect(await given.substitutions(asking(misplaced))).toEqual([]);
    expect(await given.substitutions({ ...asking(ofAda), workspace: STRANGER })).toEqual([]);
    const unknown = { name: 'NONE', vault: ada.id, credential: CredentialId.parse('vcrd_01none') };
    expect(await given.substitutions(asking([unknown]))).toEqual([]);
    expect(given.audited).toEqual([]);
  });

  it('of two sessions of two users share neither a secret nor a placeholder', async () => {
    const given = world();
    const [ada, bob] = [await openVault('ada'), await openVault('bob')];
    await keep(given, ada.id, 'KEY', { networking: onlyTo('api.example.com') });
    await keep(given, bob.id, 'KEY', { networking: onlyTo('api.example.com') });
    const [adas, bobs] = await Promise.all(
      [ada, bob].map(async (vault, index) => {
        const session = SessionId.parse(`sesn_${index}`);
        const variables = await choose([vault]);
        return given.substitutions({ ...asking(variables, `token-${index}`), session });
      }),
    );
    const credentials = [adas, bobs].map((each) => each?.map(({ credential }) => credential));
    expect(credentials[0]).not.toEqual(credentials[1]);
    expect(adas?.[0]?.placeholder).not.toBe(bobs?.[0]?.placeholder);
  });

  it('are recorded before they are handed out: once for a sandbox, a credential and a version in ten minutes', async () => {
    const given = world();
    const vault = await openVault('ada');
    const kept = await keep(given, vault.id, 'KEY');
    const variables = await choose([vault]);
    const grant = (of = asking(variables)) => given.substitutions(of);
    given.failing.audit = true;
    await expect(grant()).rejects.toMatchObject({ code: 'audit_unavailable' });
    given.failing.audit = false;
    for (let count = 0; count < 20; count += 1) {
      expect(await grant()).toHaveLength(1);
      given.stamp.advance(29_000);
    }
    const entry = {
      ...{ kind: 'secret', session: SESSION, sandbox: `${SESSION}/main/1`, user: 'ada', vault: vault.id },
      ...{ credential: kept.id, credential_version: 1, resource: null },
    };
    expect(given.audited).toEqual([entry]);
    given.stamp.advance(20_000);
    await grant();
    expect(given.audited).toEqual([entry, entry]);
    await rotate(given, kept, 'another secret');
    await grant();
    await grant({ ...asking(variables), sandbox: `${SESSION}/main/2` });
    const versions = given.audited
      .slice(2)
      .map((each) => each.kind === 'secret' && [each.sandbox, each.credential_version]);
    expect(versions).toEqual([
      [`${SESSION}/main/1`, 2],
      [`${SESSION}/main/2`, 2],
    ]);
    expect(JSON.stringify(given.audited)).not.toContain('secret of');
  });

  it('are handed out only where the hosts of credential and sandbox meet, as the credential is then', async () => {
    const given = world();
    const vault = await openVault();
    const { place } = await keep(given, vault.id, 'API', { networking: onlyTo('api.example.com') });
    await keep(given, vault.id, 'ANY');
    const reach = limitedTo('other.example.com');
    const variables = await choose([vault], reach);
    const secrets = async (of: Reach) => secretsIn(await given.substitutions({ ...asking(variables), reach: of }));
    expect(await secrets(NOWHERE)).toEqual([]);
    expect(await secrets(reach)).toEqual(['secret of ANY']);
    expect(given.audited).toHaveLength(1);
    const stored = (await rows.credentials.find(place)) as StoredCredential;
    const auth = { ...stored.credential.auth, networking: onlyTo('*.example.com') } as VariableAuth;
    await rows.credentials.replace({ ...stored, credential: { ...stored.credential, auth }, version: 2 });
    expect(await secrets(reach)).toEqual(['secret of ANY', 'secret of API']);
  });

  it('are not handed out in part when a secret cannot be read', async () => {
    const given = world();
    const vault = await openVault();
    const { place } = await keep(given, vault.id, 'LOST');
    await keep(given, vault.id, 'KEY');
    const variables = await choose([vault]);
    await given.memory.remove(place);
    await expect(given.substitutions(asking(variables))).rejects.toMatchObject({ code: 'secret_unavailable' });
  });
});

it('a vault whose user changed before its credentials came gives nothing to a session of another user', async () => {
  const given = world();
  const [ada, empty] = [await openVault('ada'), await openVault()];
  await keep(given, ada.id, 'ADA');
  const metadata = { [USER_KEY]: 'bob' };
  await rows.vaults.replace(WORKSPACE, { vault: { ...empty, metadata }, revision: 0, active: 0 });
  await keep(given, empty.id, 'BOB');
  expect(await choose([ada, empty])).toEqual([]);
});
