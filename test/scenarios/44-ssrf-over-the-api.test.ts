/** Operations that store URLs: a hostile URL is refused in the response. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { enterpriseOf } from '#core/vault/enterprise.ts';
import { startApi, type TestApi } from '#test/functions/api/api.ts';
import { agentWith, holding } from '#test/functions/core/mcp/proxy-stage.ts';
import { clientForTests } from '#test/mcp/client.ts';
import { HOSTILE_URLS, rebinding, socketsDuring } from '#test/mcp/hostile-urls.ts';
import { fxSession } from '#test/mcp/proxy-sessions.ts';

const PUBLIC = ['93.184.216.34'];
const SERVER = 'https://mcp.example.com/mcp';

describe('scenario 44: for hostile URLs in API requests,', () => {
  let api: TestApi;
  let vault: string;
  beforeAll(async () => {
    api = await startApi();
    const made = await api.ask('POST', '/v1/vaults', {
      display_name: 'keys',
      metadata: { external_user_id: 'alice' },
    });
    vault = made.body.id;
  });
  afterAll(() => api.close());

  const refusal = (field: string) => ({
    status: 400,
    body: { error: { type: 'invalid_request_error', message: expect.stringContaining(field) } },
  });

  it('a private identity provider is accepted for identities when the customer allows it, and for nothing else', async () => {
    const path = `/v1/vaults/${vault}/credentials`;
    const issuer = 'https://login.corp.internal';
    const login = { issuer, clientId: 'brainstem', clientSecretArn: null, userClaim: 'sub' };
    const refresh = {
      ...{ client_id: 'brainstem', token_endpoint: `${issuer}/token`, refresh_token: 'refresh' },
      token_endpoint_auth: { type: 'none' },
    };
    const identity = { type: 'mcp_oauth', mcp_server_url: `${issuer}/`, access_token: 'e30.e30.c2ln', refresh };
    expect(await api.ask('POST', path, { auth: identity })).toMatchObject(refusal('public internet'));
    const allow = [{ host: 'login.corp.internal', cidr: '10.0.0.0/8' }];
    api.world.identities = { enterprise: enterpriseOf({ login, servers: [] }), allow };
    const other = { ...identity, mcp_server_url: `${issuer}/mcp` };
    expect(await api.ask('POST', path, { auth: other })).toMatchObject(refusal('public internet'));
    const stored = await api.ask('POST', path, { auth: identity });
    expect(stored.status).toBe(200);
    await api.ask('DELETE', `${path}/${stored.body.id}`);
  });

  it.each(HOSTILE_URLS)('%s is refused as a credential’s server and as a token endpoint', async (_what, url) => {
    const path = `/v1/vaults/${vault}/credentials`;
    const bearer = { type: 'static_bearer', mcp_server_url: url, token: 'token' };
    expect(await api.ask('POST', path, { auth: bearer })).toMatchObject(refusal('mcp_server_url'));
    const oauth = { type: 'mcp_oauth', mcp_server_url: url, access_token: 'access' };
    expect(await api.ask('POST', path, { auth: oauth })).toMatchObject(refusal('mcp_server_url'));
    const refresh = {
      ...{ client_id: 'client', token_endpoint: url, refresh_token: 'refresh' },
      token_endpoint_auth: { type: 'none' },
    };
    const refreshed = { ...oauth, mcp_server_url: SERVER, refresh };
    expect(await api.ask('POST', path, { auth: refreshed })).toMatchObject(refusal('token_endpoint'));
    expect((await api.ask('GET', path)).body.data).toEqual([]);
    expect(api.secrets.held()).toEqual([]);
  });

  it.each(HOSTILE_URLS)('%s is refused for a connection', async (_what, url) => {
    const refused = await api.ask('POST', '/v1/x/connect', { vault_id: vault, mcp_server_url: url });
    expect(refused).toMatchObject(refusal('mcp_server_url'));
  });

  it.each(HOSTILE_URLS)('%s as the URL of an agent’s server is never connected to', async (_what, url) => {
    const { resolve, questions } = rebinding(PUBLIC);
    const session = fxSession(
      { url },
      {
        agent: agentWith({ fx: url }),
        holdings: [holding('alice', 'alice', url)],
        client: clientForTests({ outbound: { allow: [], resolve } }),
      },
    );
    expect(await socketsDuring(session.call)).toBe(0);
    expect(questions).toEqual([]);
    expect(session.results()).toMatchObject([
      { is_error: true, content: [{ text: expect.stringMatching(/^(blocked|denied): /) }] },
    ]);
    expect(session.outcomes()).toHaveLength(1);
  });
});
