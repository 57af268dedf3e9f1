import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WorkspaceId } from '#contract/ids.ts';
import { startApi, type TestApi } from './api.ts';

const VARIABLE = {
  type: 'environment_variable',
  secret_name: 'TOKEN',
  secret_value: 'value-1',
  networking: { type: 'unrestricted' },
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

async function variable(of: string): Promise<string> {
  const made = await api.ask('POST', `/v1/vaults/${of}/credentials`, { auth: VARIABLE });
  return `/v1/vaults/${of}/credentials/${made.body.id}`;
}

describe('the vaults of a session', () => {
  async function created(vault_ids: readonly string[]) {
    const agent = await api.ask('POST', '/v1/agents', { name: 'Ada', model: 'claude-opus-5' });
    const environment = await api.ask('POST', '/v1/environments', { name: 'box' });
    return api.ask('POST', '/v1/sessions', { agent: agent.body.id, environment_id: environment.body.id, vault_ids });
  }

  it('are returned in their order', async () => {
    const vault_ids = [
      await vault({ external_user_id: 'ada' }),
      await vault(),
      await vault({ external_user_id: 'ada' }),
    ];
    const made = await created(vault_ids);
    expect(made.body).toMatchObject({ vault_ids });
    expect((await api.ask('GET', `/v1/sessions/${made.body.id}`)).body.vault_ids).toEqual(vault_ids);
    const update = await api.ask('POST', `/v1/sessions/${made.body.id}`, { title: 'Another' });
    expect(update.body).toMatchObject({ title: 'Another', vault_ids });
    expect(await api.ask('POST', `/v1/sessions/${made.body.id}`, { vault_ids })).toMatchObject({ status: 400 });
  });

  it('must exist, be active, and be of one user', async () => {
    const fit = await vault({ external_user_id: 'ada' });
    const archived = await vault();
    await api.ask('POST', `/v1/vaults/${archived}/archive`);
    const bobs = await vault({ external_user_id: 'bob' });
    expect(await created([fit, 'vlt_01nobody'])).toMatchObject({
      status: 404,
      ...refusal('not_found_error', 'vault_ids.1: there is no such vault'),
    });
    const rules = [
      [[fit, archived], 'vault_ids.1: is archived'],
      [
        [fit, bobs],
        'vault_ids: must not belong to different users: metadata.external_user_id of each must be the same, or absent',
      ],
      [Array.from({ length: 51 }, () => fit), 'vault_ids: must have at most 50 item(s)'],
      [['env_1'], 'vault_ids.0: must be an id that starts with "vlt_"'],
    ] as const;
    for (const [ids, message] of rules) {
      expect(await created(ids)).toMatchObject({ status: 400, ...refusal('invalid_request_error', message) });
    }
  });

  it('name no user when the text is empty', async () => {
    const nameless = { ...(await api.ask('GET', `/v1/vaults/${await vault()}`)).body, id: 'vlt_01nameless' };
    const metadata = { external_user_id: '' };
    await api.world.vaults.create(WorkspaceId.parse('wrkspc_tests'), { ...nameless, metadata });
    expect(await created([await vault({ external_user_id: 'ada' }), nameless.id])).toMatchObject({ status: 200 });
  });

  it('may hold environment_variable credentials', async () => {
    const id = await vault();
    await variable(id);
    expect(await created([id])).toMatchObject({ status: 200, body: { vault_ids: [id] } });
  });
});

describe('the MCP servers of a session in a limited environment', () => {
  it('must be among its hosts, unless it allows all MCP servers', async () => {
    const agent = await api.ask('POST', '/v1/agents', {
      name: 'Ada',
      model: 'claude-opus-5',
      mcp_servers: [{ type: 'url', name: 'files', url: 'https://Mcp.Example.com/mcp' }],
      tools: [{ type: 'mcp_toolset', mcp_server_name: 'files' }],
    });
    const inside = async (networking: object) => {
      const environment = await api.ask('POST', '/v1/environments', {
        name: 'box',
        config: { type: 'cloud', networking },
      });
      const { body } = await api.ask('POST', '/v1/sessions', {
        agent: agent.body.id,
        environment_id: environment.body.id,
      });
      return body.error?.message ?? body.status;
    };
    const rule =
      "agent.mcp_servers.0.url: its host must be among the environment's allowed_hosts, or allow_mcp_servers be true";
    expect(await inside({ type: 'unrestricted' })).toBe('idle');
    expect(await inside({ type: 'limited' })).toBe(rule);
    expect(await inside({ type: 'limited', allowed_hosts: ['example.com', '*.mcp.example.com'] })).toBe(rule);
    expect(await inside({ type: 'limited', allowed_hosts: ['MCP.example.com'] })).toBe('idle');
    expect(await inside({ type: 'limited', allowed_hosts: ['*.example.com'] })).toBe('idle');
    expect(await inside({ type: 'limited', allow_mcp_servers: true })).toBe('idle');
  });

  describe('that an update changes', () => {
    const files = (url: string) => ({
      mcp_servers: [{ type: 'url', name: 'files', url }],
      tools: [{ type: 'mcp_toolset', mcp_server_name: 'files' }],
    });
    const NOT_REACHED = files('https://elsewhere.example.org/mcp');

    async function session(networking: object) {
      const config = { type: 'cloud', networking };
      const environment = await api.ask('POST', '/v1/environments', { name: 'box', config });
      const agent = { name: 'Ada', model: 'claude-opus-5', ...files('https://mcp.example.com/mcp') };
      const { body } = await api.ask('POST', '/v1/agents', agent);
      const made = await api.ask('POST', '/v1/sessions', { agent: body.id, environment_id: environment.body.id });
      return { path: `/v1/sessions/${made.body.id}`, environment: `/v1/environments/${environment.body.id}` };
    }
    const update = async (path: string, agent: object) => {
      const { body } = await api.ask('POST', path, { title: 'changed', agent });
      return body.error?.message ?? body.agent.mcp_servers.map(({ url }: { url: string }) => url);
    };

    it('must be among its hosts too, and no other part of the request is applied', async () => {
      const { path } = await session({ type: 'limited', allowed_hosts: ['*.example.com'] });
      const rule =
        "agent.mcp_servers.0.url: its host must be among the environment's allowed_hosts, or allow_mcp_servers be true";
      expect(await update(path, NOT_REACHED)).toBe(rule);
      expect((await api.ask('GET', path)).body).toMatchObject({
        title: null,
        agent: { mcp_servers: [{ name: 'files' }] },
      });
      expect(await update(path, files('https://other.example.com/mcp'))).toEqual(['https://other.example.com/mcp']);
      expect(await update(path, { mcp_servers: [], tools: [] })).toEqual([]);
    });

    it('may be anywhere where the environment allows all MCP servers', async () => {
      const all = { type: 'limited', allow_mcp_servers: true };
      for (const networking of [{ type: 'unrestricted' }, all]) {
        expect(await update((await session(networking)).path, NOT_REACHED)).toEqual([
          'https://elsewhere.example.org/mcp',
        ]);
      }
    });

    it('are checked against the environment as it is then, and accepted when it is deleted', async () => {
      const { path, environment } = await session({ type: 'unrestricted' });
      await api.ask('POST', environment, { config: { type: 'cloud', networking: { type: 'limited' } } });
      expect(await update(path, NOT_REACHED)).toContain('allowed_hosts');
      await api.ask('DELETE', environment);
      expect(await update(path, NOT_REACHED)).toContain('agent.mcp_servers: may only be emptied');
      expect(await update(path, files('https://mcp.example.com/mcp'))).toEqual(['https://mcp.example.com/mcp']);
      expect(await update(path, { mcp_servers: [], tools: [] })).toEqual([]);
    });
  });
});
