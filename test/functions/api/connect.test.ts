import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AgentId, CredentialId, EventId, Position, SessionId, ThreadId, VaultId, WorkspaceId } from '#contract/ids.ts';
import type { Vault } from '#contract/vaults.ts';
import { createConnectionLinks } from '#core/connect/offer-link.ts';
import { newToken } from '#aws/stamp.ts';
import { OTHER_KEY, startApi, type TestApi } from './api.ts';

const WORKSPACE = WorkspaceId.parse('wrkspc_tests');
const SERVER = 'https://mcp.example.com/mcp';

describe('connections of the API', () => {
  let api: TestApi;
  let vault: Vault;
  beforeAll(async () => {
    api = await startApi();
  });
  beforeEach(async () => {
    vault = await vaultWith({ external_user_id: 'alice' });
    api.resumed.splice(0);
  });
  afterAll(() => api.close());

  async function vaultWith(metadata: Record<string, string>): Promise<Vault> {
    const at = new Date().toISOString();
    const made: Vault = {
      ...{ id: VaultId.parse(`vlt_${newToken()}`), type: 'vault', display_name: 'x', metadata },
      ...{ created_at: at, updated_at: at, archived_at: null },
    };
    await api.world.connecting.vaults.create(WORKSPACE, made);
    return made;
  }

  const connect = (fields: Record<string, unknown> = {}) =>
    api.ask('POST', '/v1/x/connect', { vault_id: vault.id, mcp_server_url: SERVER, ...fields });

  const waiting = (call: string, session = 'sesn_1') => ({
    session: SessionId.parse(session),
    thread: ThreadId.parse('sthr_1'),
    call: EventId.parse(`sevt_${call}`),
    sincePosition: Position.parse(3),
  });

  async function newSession(): Promise<string> {
    const agent = await api.ask('POST', '/v1/agents', { name: 'Ada', model: 'claude-opus-5' });
    const environment = await api.ask('POST', '/v1/environments', { name: 'box' });
    const made = await api.ask('POST', '/v1/sessions', { agent: agent.body.id, environment_id: environment.body.id });
    return made.body.id as string;
  }

  function offer(call: string, fields: Record<string, unknown> = {}) {
    return createConnectionLinks(api.world.connecting).offer({
      ...{ workspace: WORKSPACE, vault, server: { url: SERVER, name: 'files', resourceMetadata: null }, scopes: [] },
      ...{ agent: { id: AgentId.parse('agent_1'), name: 'Ada', version: 1 }, resume: waiting(call), ...fields },
    });
  }

  it('are recorded in the audit trail before they are created', async () => {
    await connect();
    await connect({ mcp_server_url: 'http://10.0.0.1/mcp' });
    const { body } = await api.ask('GET', '/v1/x/audit?kind=administration&limit=500');
    const records = body.data as readonly { readonly entry: Record<string, unknown> }[];
    const mine = records.filter(({ entry }) => entry['vault'] === vault.id);
    expect(mine.map(({ entry }) => [entry['action'], entry['outcome']])).toEqual([
      ['connect.create', 'requested'],
      ['connect.create', 'done'],
      ['connect.create', 'requested'],
      ['connect.create', 'denied'],
    ]);
  });

  it('are created for the vault’s user, with a URL of this service, and are pending for 24 hours', async () => {
    const { status, body } = await connect({ mcp_server_url: 'HTTPS://MCP.example.com:443/mcp/' });
    expect(status).toBe(200);
    expect(body).toEqual({
      id: expect.stringMatching(/^conn_/),
      type: 'connect',
      status: 'pending',
      url: `https://agents.example.com/prod/connect/${body.id}`,
      vault_id: vault.id,
      mcp_server_url: SERVER,
      user_id: 'alice',
      error: null,
      created_at: expect.any(String),
      expires_at: expect.any(String),
      completed_at: null,
    });
    expect(Date.parse(body.expires_at) - Date.parse(body.created_at)).toBe(24 * 3_600_000);
    expect((await api.ask('GET', `/v1/x/connect/${body.id}`)).body).toEqual(body);
  });

  it('are refused with the name of the field when a user, vault, server or return URL is not acceptable', async () => {
    const userless = await vaultWith({});
    const archived = await vaultWith({ external_user_id: 'alice' });
    await api.world.connecting.vaults.archive(WORKSPACE, archived.id, new Date().toISOString());
    const refused: readonly (readonly [Record<string, unknown>, number, RegExp])[] = [
      [{ vault_id: userless.id }, 400, /^vault_id: its metadata names no external_user_id to be asked$/],
      [{ vault_id: archived.id }, 400, /^vault_id: is archived$/],
      [{ vault_id: 'vlt_unknown' }, 404, /vault_id/],
      [{ agent_id: 'agent_unknown' }, 404, /agent_id/],
      [{ mcp_server_url: 'https://169.254.169.254/' }, 400, /mcp_server_url/],
      [{ mcp_server_url: 'https://u:p@mcp.example.com/' }, 400, /mcp_server_url/],
      [{ mcp_server_url: 'http://mcp.example.com/' }, 400, /mcp_server_url/],
      [{ scopes: ['two scopes'] }, 400, /scopes/],
      [{ return_url: 'http://app.example.com/' }, 400, /return_url/],
      [{ return_url: 'javascript:alert(1)' }, 400, /return_url/],
      [{ return_url: 'https://u@app.example.com/' }, 400, /return_url/],
      [{ return_url: 'acme://other' }, 400, /return_url/],
    ];
    for (const [fields, status, message] of refused) {
      const answer = await connect(fields);
      expect([fields, answer.status]).toEqual([fields, status]);
      expect(answer.body.error.message).toMatch(message);
    }
    for (const return_url of ['https://app.example.com/x', 'http://localhost:3000/x', 'acme://done']) {
      expect((await connect({ return_url })).status).toBe(200);
    }
  });

  it('name the missing property of the construct when no user can log in', async () => {
    const { baseUrl } = api.world.connecting;
    api.world.connecting.baseUrl = null;
    const answer = await connect();
    expect(answer.status).toBe(400);
    expect(answer.body.error.message).toContain('`connect`');
    expect(await offer('unconfigured')).toBeNull();
    api.world.connecting.baseUrl = baseUrl;
    expect(await offer('userless', { vault: await vaultWith({}) })).toBeNull();
  });

  it('are not visible to another workspace', async () => {
    const { body } = await connect();
    const other = { authorization: `Bearer ${OTHER_KEY}` };
    expect((await api.ask('GET', `/v1/x/connect/${body.id}`, undefined, other)).status).toBe(404);
    const session = await newSession();
    await offer('theirs', { resume: waiting('theirs', session) });
    const listed = `/v1/x/connect?session_id=${session}`;
    expect((await api.ask('GET', listed, undefined, other)).status).toBe(404);
    expect((await api.ask('GET', listed)).body.data).toHaveLength(1);
  });

  it('are not listed for a session that does not exist', async () => {
    expect(await api.ask('GET', '/v1/x/connect?session_id=sesn_no')).toMatchObject({
      status: 404,
      body: { error: { type: 'not_found_error', message: 'session_id: there is no such session' } },
    });
    expect((await api.ask('GET', `/v1/x/connect?session_id=${await newSession()}`)).body.data).toEqual([]);
  });

  it('are listed for the session with calls that wait for them, as long as a user can open them', async () => {
    const session = await newSession();
    const first = await offer('a', { resume: waiting('a', session) });
    const other = await offer('b', {
      resume: waiting('b', session),
      server: { url: 'https://other.example.com/mcp', name: 'other', resourceMetadata: null },
    });
    const listed = async () => (await api.ask('GET', `/v1/x/connect?session_id=${session}`)).body.data;
    expect((await listed()).map((link: { id: string }) => link.id).toSorted()).toEqual(
      [first?.id, other?.id].toSorted(),
    );
    if (other !== null) await api.world.connecting.connections.fail(other.id, 'cancelled', new Date().toISOString());
    expect((await listed()).map((link: { id: string }) => link.id)).toEqual([first?.id]);
    expect((await api.ask('GET', '/v1/x/connect')).status).toBe(400);
  });

  it('are not listed when no call of the session waits for them', async () => {
    const session = await newSession();
    await offer('denied', { resume: waiting('denied', session) });
    const link = await offer('open', {
      resume: waiting('open', session),
      server: { url: 'https://other.example.com/mcp', name: 'other', resourceMetadata: null },
    });
    const { isWaiting } = api.world.connecting;
    api.world.connecting.isWaiting = async ({ call }) => call !== waiting('denied', session).call;
    const { body } = await api.ask('GET', `/v1/x/connect?session_id=${session}`);
    api.world.connecting.isWaiting = isWaiting;
    expect(body.data.map((one: { id: string }) => one.id)).toEqual([link?.id]);
  });

  it('are shared by calls that ask for the same scopes or fewer, and not by one that asks for more', async () => {
    const first = await offer('same');
    expect(await offer('same')).toEqual(first);
    expect(await offer('another')).toEqual(first);
    const more = await offer('more', { scopes: ['files:write'] });
    expect(more).not.toEqual(first);
    expect(await offer('less')).toEqual(more);
  });

  it('show the user’s decision and the reason of a failure', async () => {
    const { body } = await connect();
    await api.world.connecting.connections.trouble(body.id, 'server_unreachable');
    expect((await api.ask('GET', `/v1/x/connect/${body.id}`)).body).toMatchObject({
      status: 'pending',
      error: { type: 'server_unreachable', message: expect.any(String) },
    });
    await api.world.connecting.connections.fail(body.id, 'access_denied', new Date().toISOString());
    expect((await api.ask('GET', `/v1/x/connect/${body.id}`)).body).toMatchObject({
      status: 'failed',
      error: { type: 'access_denied' },
      completed_at: null,
    });
  });

  describe('after a function died while it created them,', () => {
    async function stored(link: { readonly id: string } | null) {
      const { connections, credentials } = api.world.connecting;
      const id = link?.id as Parameters<typeof connections.find>[0];
      const credential = CredentialId.parse(`vcrd_${newToken()}`);
      const at = new Date().toISOString();
      await connections.storing(id, { credential, version: 0, since: at });
      const auth = { type: 'mcp_oauth' as const, mcp_server_url: SERVER, expires_at: null, refresh: null };
      const row = {
        ...{ id: credential, type: 'vault_credential' as const, vault_id: vault.id, display_name: null, auth },
        ...{ metadata: {}, created_at: at, updated_at: at, archived_at: null },
      };
      const create = () =>
        credentials.create(
          { workspace: WORKSPACE, credential: row, secrets: {}, grantedScopes: [], issuer: 'https://as.example.com' },
          SERVER,
        );
      return { id, create, status: async () => (await api.ask('GET', `/v1/x/connect/${id}`)).body.status };
    }

    it('that have a stored credential are completed by the next request, which resumes their calls', async () => {
      const { create, status } = await stored(await offer('left'));
      await create();
      expect(await status()).toBe('completed');
      expect(api.resumed).toEqual([waiting('left')]);
      expect(await status()).toBe('completed');
      expect(api.resumed).toHaveLength(1);
    });

    it('that have no stored credential stay pending', async () => {
      const { status } = await stored(await offer('early'));
      expect(await status()).toBe('pending');
      expect(api.resumed).toEqual([]);
    });

    it('that are completed resume the remaining calls, and sweep finds them until then', async () => {
      const { id, create, status } = await stored(await offer('last'));
      await create();
      const { connections } = api.world.connecting;
      await connections.complete(id, new Date().toISOString());
      const unsettled = async () => {
        const ids: string[] = [];
        for await (const one of connections.unsettled(new Date(Date.now() + 1000).toISOString())) ids.push(one);
        return ids;
      };
      expect(await unsettled()).toContain(id);
      expect(await status()).toBe('completed');
      expect(api.resumed).toEqual([waiting('last')]);
      expect(await unsettled()).not.toContain(id);
    });
  });
});
