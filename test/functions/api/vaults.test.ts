import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Credential } from '#contract/credentials.ts';
import { Vault } from '#contract/vaults.ts';
import { CredentialId, VaultId, WorkspaceId } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import { createCredential } from '#core/vault/create-credential.ts';
import { updateCredential } from '#core/vault/update-credential.ts';
import { KEY, OTHER_KEY, startApi, type Line, type TestApi } from './api.ts';

const SERVER = 'https://mcp.example.com/mcp';
const BEARER = { type: 'static_bearer', mcp_server_url: SERVER, token: 'bearer-1' };
const OAUTH = {
  type: 'mcp_oauth',
  mcp_server_url: SERVER,
  access_token: 'access-1',
  refresh: {
    client_id: 'client',
    token_endpoint: 'https://auth.example.com/token',
    refresh_token: 'refresh-1',
    token_endpoint_auth: { type: 'client_secret_post', client_secret: 'client-secret-1' },
  },
};
let api: TestApi;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const refusal = (type: string, message: string) => ({ body: { error: { type, message } } });

async function vault(metadata: Record<string, string> = {}): Promise<string> {
  return (await api.ask('POST', '/v1/vaults', { display_name: 'keys', metadata })).body.id as string;
}

async function credential(of: string, auth: object = OAUTH): Promise<string> {
  const made = await api.ask('POST', `/v1/vaults/${of}/credentials`, { auth });
  expect(made.status).toBe(200);
  return `/v1/vaults/${of}/credentials/${made.body.id}`;
}

const placeAt = (path: string) => {
  const [, , , of = '', , id = ''] = path.split('/');
  const workspace = WorkspaceId.parse('wrkspc_tests');
  return { workspace, vault: VaultId.parse(of), credential: CredentialId.parse(id) };
};

/** The secrets that the credential's row points to. */
async function inForce(path: string) {
  const stored = await api.world.credentials.find(placeAt(path));
  return stored === null ? null : api.secrets.read(placeAt(path), stored.secrets);
}

/** The audit records of a vault, in order. */
async function audited(of: string, key = KEY): Promise<readonly Line[]> {
  const { body } = await api.ask('GET', '/v1/x/audit?kind=administration&limit=500', undefined, {
    authorization: `Bearer ${key}`,
  });
  const entries = (body.data as readonly { entry: Line }[]).map(({ entry }) => entry);
  return entries.filter((entry) => entry['vault'] === of);
}

describe('the vaults API', () => {
  it('creates, returns, patches and lists vaults', async () => {
    const made = await api.ask('POST', '/v1/vaults', { display_name: 'keys', metadata: { a: '1', b: '2' } });
    expect(Vault.parse(made.body)).toMatchObject({
      display_name: 'keys',
      metadata: { a: '1', b: '2' },
      archived_at: null,
    });
    const path = `/v1/vaults/${made.body.id}`;
    expect((await api.ask('GET', path)).body).toEqual(made.body);
    expect((await api.ask('POST', path, {})).body).toEqual(made.body);
    const updated = await api.ask('POST', path, { display_name: 'more', metadata: { a: null, c: '3' } });
    expect(updated.body).toMatchObject({ display_name: 'more', metadata: { b: '2', c: '3' } });
    expect(updated.body.updated_at >= made.body.updated_at).toBe(true);
    expect((await api.ask('POST', path, { display_name: null })).body).toEqual(updated.body);
    expect((await api.ask('GET', '/v1/vaults?limit=1')).body).toMatchObject({ data: [updated.body] });
    const metadata = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, 'v']));
    expect(await api.ask('POST', path, { metadata })).toMatchObject({ status: 400 });
  });

  it('archives a vault with its credentials, which then refuses changes', async () => {
    const id = await vault();
    const path = await credential(id);
    const archived = await api.ask('POST', `/v1/vaults/${id}/archive`);
    expect(archived.body.archived_at).not.toBeNull();
    expect((await api.ask('GET', path)).body.archived_at).toBe(archived.body.archived_at);
    expect(api.secrets.held()).not.toContain(placeAt(path).credential);
    expect((await api.ask('POST', `/v1/vaults/${id}/archive`)).body).toEqual(archived.body);
    const closed = { status: 400, ...refusal('invalid_request_error', 'vault_id: is archived') };
    expect(await api.ask('POST', `/v1/vaults/${id}`, { display_name: 'x' })).toMatchObject(closed);
    expect(await api.ask('POST', `/v1/vaults/${id}/credentials`, { auth: BEARER })).toMatchObject(closed);
    expect((await api.ask('GET', '/v1/vaults?limit=100')).body.data).not.toContainEqual(archived.body);
    expect((await api.ask('GET', '/v1/vaults?limit=100&include_archived=true')).body.data).toContainEqual(
      archived.body,
    );
    expect((await api.ask('DELETE', `/v1/vaults/${id}`)).body).toEqual({ id, type: 'vault_deleted' });
    expect(await api.ask('GET', path)).toMatchObject({ status: 404 });
    expect(await api.ask('DELETE', `/v1/vaults/${id}`)).toMatchObject({ status: 404 });
  });
});

describe('the user of a vault in the API', () => {
  const USER = 'metadata.external_user_id';
  const naming = (user: string | null) => ({ display_name: 'renamed', metadata: { external_user_id: user } });

  it('is changed and removed only while the vault holds no active credential', async () => {
    const id = await vault({ external_user_id: 'alice' });
    const path = await credential(id);
    const stays = `${USER}: stays while the vault has active credentials, which are this user's: archive or delete them first, or create another vault`;
    const before = (await api.ask('GET', `/v1/vaults/${id}`)).body;
    for (const user of ['bob', null]) {
      const refused = await api.ask('POST', `/v1/vaults/${id}`, naming(user));
      expect(refused).toMatchObject({ status: 400, ...refusal('invalid_request_error', stays) });
    }
    expect((await api.ask('GET', `/v1/vaults/${id}`)).body).toEqual(before);
    expect((await audited(id)).slice(-2)).toMatchObject([
      { action: 'vault.update', outcome: 'requested', reason: null },
      { action: 'vault.update', outcome: 'denied', reason: `invalid_request_error: ${stays}` },
    ]);
    expect(await api.ask('POST', `/v1/vaults/${id}`, naming('alice'))).toMatchObject({ status: 200 });
    await api.ask('POST', `${path}/archive`);
    for (const user of ['bob', null]) {
      expect(await api.ask('POST', `/v1/vaults/${id}`, naming(user))).toMatchObject({ status: 200 });
    }
    expect((await api.ask('GET', `/v1/vaults/${id}`)).body.metadata).toEqual({});
  });

  it('is set for the first time whatever the vault holds', async () => {
    const id = await vault();
    await credential(id);
    const named = await api.ask('POST', `/v1/vaults/${id}`, naming('alice'));
    expect(named).toMatchObject({ status: 200, body: { metadata: { external_user_id: 'alice' } } });
    expect(await api.ask('POST', `/v1/vaults/${id}`, naming('bob'))).toMatchObject({ status: 400 });
  });

  it.each([
    ['', `${USER}: must not be empty`],
    ['x'.repeat(513), `${USER}: must have at most 512 character(s)`],
  ])('cannot be "%s"', async (user, message) => {
    const id = await vault({ note: '' });
    const answers = [
      await api.ask('POST', '/v1/vaults', naming(user)),
      await api.ask('POST', `/v1/vaults/${id}`, naming(user)),
    ];
    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 400, ...refusal('invalid_request_error', message) });
    }
    expect((await api.ask('GET', `/v1/vaults/${id}`)).body).toMatchObject({ metadata: { note: '' } });
  });
});

describe('the credentials API', () => {
  it('returns everything but the secrets', async () => {
    const id = await vault();
    const made = await api.ask('POST', `/v1/vaults/${id}/credentials`, {
      auth: { ...OAUTH, expires_at: '2100-01-01T00:00:00Z' },
      display_name: 'mine',
      metadata: { a: '1' },
    });
    expect(Credential.strict().parse(made.body)).toMatchObject({
      display_name: 'mine',
      vault_id: id,
      metadata: { a: '1' },
    });
    expect(made.body.auth).toEqual({
      type: 'mcp_oauth',
      mcp_server_url: SERVER,
      expires_at: '2100-01-01T00:00:00.000Z',
      refresh: {
        client_id: 'client',
        token_endpoint: 'https://auth.example.com/token',
        token_endpoint_auth: { type: 'client_secret_post' },
        resource: null,
        scope: null,
      },
    });
    const path = `/v1/vaults/${id}/credentials/${made.body.id}`;
    expect((await api.ask('GET', path)).body).toEqual(made.body);
    expect((await api.ask('GET', `/v1/vaults/${id}/credentials`)).body).toEqual({ data: [made.body], next_page: null });
  });

  it('finds a credential only in the vault that the path names', async () => {
    const path = await credential(await vault());
    const other = path.replace(/vlt_\w+/, await vault());
    for (const method of ['GET', 'POST', 'DELETE'] as const) {
      expect(await api.ask(method, other)).toMatchObject({ status: 404 });
    }
    expect(await api.ask('POST', `${other}/archive`)).toMatchObject({ status: 404 });
    const unknown = 'vlt_01unknown';
    const missing = { status: 404, ...refusal('not_found_error', 'vault_id: there is no such vault') };
    expect(await api.ask('GET', `/v1/vaults/${unknown}/credentials`)).toMatchObject(missing);
    expect(await api.ask('POST', `/v1/vaults/${unknown}/credentials`, { auth: BEARER })).toMatchObject(missing);
  });

  it('updates one secret at a time, as a version of its own', async () => {
    const path = await credential(await vault());
    expect(await inForce(path)).toEqual({
      access_token: 'access-1',
      refresh_token: 'refresh-1',
      client_secret: 'client-secret-1',
    });
    const before = (await api.ask('GET', path)).body;
    const auth = { type: 'mcp_oauth', refresh: { refresh_token: 'refresh-2' } };
    const updated = await api.ask('POST', path, { auth });
    expect(updated.body).toEqual({ ...before, updated_at: updated.body.updated_at });
    expect(await inForce(path)).toEqual({
      access_token: 'access-1',
      refresh_token: 'refresh-2',
      client_secret: 'client-secret-1',
    });
    expect(api.secrets.versions(placeAt(path).credential)).toBe(2);
  });

  it('writes no secret for other fields, and nothing for an update without a change', async () => {
    const path = await credential(await vault());
    const before = await api.world.credentials.find(placeAt(path));
    expect((await api.ask('POST', path, { auth: { type: 'mcp_oauth' } })).body).toEqual(before?.credential);
    expect(await api.world.credentials.find(placeAt(path))).toEqual(before);
    const named = await api.ask('POST', path, { display_name: 'mine', metadata: { a: '1' } });
    expect(named.body).toMatchObject({ display_name: 'mine', metadata: { a: '1' } });
    expect((await api.ask('POST', path, { display_name: null })).body).toMatchObject({ display_name: null });
    expect(api.secrets.versions(placeAt(path).credential)).toBe(1);
  });

  it('archives finally: the secret is removed, the row stays, and its key is free', async () => {
    const id = await vault();
    const path = await credential(id);
    const archived = await api.ask('POST', `${path}/archive`);
    expect(archived.body).toMatchObject({ auth: { mcp_server_url: SERVER }, archived_at: expect.any(String) });
    expect(await inForce(path)).toEqual({});
    expect(api.secrets.held()).not.toContain(placeAt(path).credential);
    const late = await api.ask('POST', path, { auth: { type: 'mcp_oauth', access_token: 'late' } });
    expect(late).toMatchObject({ status: 400, ...refusal('invalid_request_error', 'credential_id: is archived') });
    expect(api.secrets.held()).not.toContain(placeAt(path).credential);
    await credential(id, BEARER);
    expect((await api.ask('GET', `/v1/vaults/${id}/credentials`)).body.data).toHaveLength(1);
    expect((await api.ask('GET', `/v1/vaults/${id}/credentials?include_archived=true`)).body.data).toHaveLength(2);
  });

  it('deletes a credential, active or archived', async () => {
    const id = await vault();
    for (const archived of [false, true]) {
      const path = await credential(id);
      if (archived) await api.ask('POST', `${path}/archive`);
      const deleted = { id: placeAt(path).credential, type: 'vault_credential_deleted' };
      expect((await api.ask('DELETE', path)).body).toEqual(deleted);
      expect(await api.ask('GET', path)).toMatchObject({ status: 404 });
      expect(await api.ask('DELETE', path)).toMatchObject({ status: 404 });
      expect(api.secrets.held()).not.toContain(placeAt(path).credential);
    }
  });

  it('leaves no secret behind when a creation loses a race', async () => {
    const id = await vault();
    await credential(id);
    const held = api.secrets.held().length;
    const place = { ...placeAt(`/v1/vaults/${id}/credentials/vcrd_1`), credential: CredentialId.parse('vcrd_1') };
    // The second request reads before the first one has written.
    const match = async () => [{ vault: await api.world.vaults.find(place.workspace, place.vault), stored: null }];
    const world = { ...api.world, credentials: { ...api.world.credentials, match } };
    const created = await createCredential(world, place, { auth: { ...BEARER, type: 'static_bearer' } });
    expect(created).toMatchObject({ type: 'conflict_error' });
    expect(api.secrets.held()).toHaveLength(held);
  });

  it('decides an update again when another one was faster, and keeps the secret that it wrote once', async () => {
    const path = await credential(await vault());
    let reads = 0;
    const find = async (place: ReturnType<typeof placeAt>) => {
      const stored = await api.world.credentials.find(place);
      reads += 1;
      if (reads === 1) await api.ask('POST', path, { metadata: { other: 'first' } });
      return stored;
    };
    const world = { ...api.world, credentials: { ...api.world.credentials, find } };
    const auth = { type: 'mcp_oauth' as const, access_token: 'access-2' };
    const updated = await updateCredential(world, placeAt(path), { auth, metadata: { mine: 'second' } });
    expect(updated).toMatchObject({ metadata: { other: 'first', mine: 'second' } });
    expect(await inForce(path)).toMatchObject({ access_token: 'access-2', refresh_token: 'refresh-1' });
    expect(api.secrets.versions(placeAt(path).credential)).toBe(2);
  });

  it('validates a credential for each key that may read it', async () => {
    const id = await vault();
    const path = await credential(id);
    const place = placeAt(path);
    const verdict = {
      type: 'vault_credential_validation' as const,
      credential_id: place.credential,
      vault_id: place.vault,
      validated_at: '2026-11-21T10:00:00.000Z',
      has_refresh_token: true,
      status: 'valid' as const,
      mcp_probe: null,
      refresh: null,
    };
    api.world.trial.validate = async (tried) => (tried.credential === place.credential ? verdict : null);
    expect(await api.ask('POST', `${path}/mcp_oauth_validate`)).toMatchObject({ status: 200, body: verdict });
    await api.ask('POST', `${path}/archive`);
    expect(await api.ask('POST', `${path}/mcp_oauth_validate`)).toMatchObject({ status: 400 });
    const bearer = await credential(id, BEARER);
    expect(await api.ask('POST', `${bearer}/mcp_oauth_validate`)).toMatchObject({
      status: 400,
      ...refusal(
        'invalid_request_error',
        'credential_id: must be an mcp_oauth credential, and is of type static_bearer',
      ),
    });
    expect(await api.ask('POST', `${path}0/mcp_oauth_validate`)).toMatchObject({ status: 404 });
  });
});

describe('the audit trail of vaults', () => {
  it('has a record of a validation before the user’s token is used', async () => {
    const id = await vault();
    const path = await credential(id);
    const known: unknown[] = [];
    api.world.trial.validate = async () => {
      known.push(...(await audited(id)).filter(({ action }) => action === 'credential.mcp_oauth_validate'));
      throw new Fault('mcp_proxy_unavailable', 'the MCP proxy did not do "validate"');
    };
    expect((await api.ask('POST', `${path}/mcp_oauth_validate`)).status).toBeGreaterThanOrEqual(500);
    expect(known).toMatchObject([{ credential: placeAt(path).credential, outcome: 'requested', api_key: 'apikey_1' }]);
  });

  it('has a record of each change before it is made, and of its end', async () => {
    const id = await vault();
    const path = await credential(id);
    await api.ask('POST', path, { auth: { type: 'static_bearer', token: 'x' } });
    await api.ask('POST', `${path}/archive`);
    await api.ask('DELETE', path);
    await api.ask('DELETE', path);
    await api.ask('GET', `/v1/vaults/${id}`);
    const entries = await audited(id);
    const { credential: credentialId } = placeAt(path);
    const pair = (action: string, of: string | null, outcome = 'done', reason: unknown = null) => [
      expect.objectContaining({ action, credential: of, outcome: 'requested', reason: null, api_key: 'apikey_1' }),
      expect.objectContaining({ action, credential: of, outcome, reason, api_key: 'apikey_1' }),
    ];
    expect(entries).toEqual([
      ...pair('vault.create', null),
      ...pair('credential.create', credentialId),
      ...pair('credential.update', credentialId, 'denied', 'invalid_request_error: auth.type: stays "mcp_oauth"'),
      ...pair('credential.archive', credentialId),
      ...pair('credential.delete', credentialId),
      ...pair('credential.delete', credentialId, 'denied', 'not_found'),
    ]);
  });

  it('must be written before a change is made', async () => {
    const id = await vault();
    const { record } = api.world.audit;
    api.world.audit.record = () => Promise.reject(new Error('the audit trail is down'));
    const answers = [
      await api.ask('POST', '/v1/vaults', { display_name: 'unseen' }),
      await api.ask('POST', `/v1/vaults/${id}/credentials`, { auth: BEARER }),
      await api.ask('DELETE', `/v1/vaults/${id}`),
    ];
    api.world.audit.record = record;
    expect(answers.map(({ status }) => status)).toEqual([500, 500, 500]);
    expect((await api.ask('GET', '/v1/vaults?limit=1')).body.data[0].display_name).not.toBe('unseen');
    expect((await api.ask('GET', `/v1/vaults/${id}/credentials`)).body.data).toEqual([]);
  });
});

describe('another workspace', () => {
  it('is refused a vault, and the audit trail of the owner records it', async () => {
    const id = await vault();
    const stranger = { authorization: `Bearer ${OTHER_KEY}` };
    expect(await api.ask('GET', `/v1/vaults/${id}`, undefined, stranger)).toMatchObject({ status: 404 });
    expect(await audited(id)).toContainEqual(
      expect.objectContaining({ action: 'vault.retrieve', outcome: 'denied', reason: 'cross_workspace_denied' }),
    );
    expect(await audited(id, OTHER_KEY)).toEqual([]);
  });
});
