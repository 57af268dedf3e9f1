import { afterAll, beforeAll, expect, it } from 'vitest';
import { VaultId, WorkspaceId } from '#contract/ids.ts';
import { createRefreshLeases } from '#aws/vault/refresh-leases.dynamodb.ts';
import { newToken, pause } from '#aws/stamp.ts';
import { makeCall } from '#core/mcp/make-call.ts';
import { createTokens } from '#core/vault/tokens.ts';
import { startApi, type TestApi } from '#test/functions/api/api.ts';
import { agentWith, proxyStage, SUM } from '#test/functions/core/mcp/proxy-stage.ts';
import { outboundHere } from '#test/functions/core/vault/refresh.fixture.ts';
import { clientForTests } from '#test/mcp/client.ts';
import { startFx, type Fx } from '#test/mcp/fx.ts';
import { ALLOW_HERE } from '#test/mcp/listening.ts';

const WAYS = { outbound: outboundHere, identityOutbound: outboundHere };

const WORKSPACE = WorkspaceId.parse('wrkspc_tests');
const TOKEN = 'token-of-alice-0123456789';
const PATIENCE_MS = 120_000;

let api: TestApi;
let fx: Fx;
beforeAll(async () => {
  [api, fx] = await Promise.all([startApi(), startFx({ tokens: { [TOKEN]: [] } })]);
  api.world.serversAllowed = ALLOW_HERE;
});
afterAll(() => Promise.all([api.close(), fx.close()]));

/** One warm instance of the proxy: its client and its tokens survive calls. */
function warmProxy(vault: VaultId) {
  const { credentials, stamp, journal } = api.world;
  const leases = createRefreshLeases(api.dynamodb, api.vaultTable);
  const world = { credentials, leases, secrets: api.secrets, ...WAYS, stamp, pause, journal };
  const tokens = createTokens({ ...world, newToken, random: Math.random, enterprise: null });
  const client = clientForTests();
  /** The result of `sum` for a session of this vault's user, and the tokens that the server got meanwhile. */
  return async () => {
    const before = fx.requests.length;
    const stage = proxyStage({ agent: agentWith({ fx: fx.url }), tool: SUM });
    const match = (_workspace: unknown, _vaults: unknown, key: string) => credentials.match(WORKSPACE, [vault], key);
    const until = { deadline: Date.now() + PATIENCE_MS, signal: new AbortController().signal };
    // A real pause, because the stage's own takes no time, and the watch would leave no time to read the response.
    await makeCall({ ...stage.world, mcpClient: client, tokens, credentials: { match }, pause }, stage.request, until);
    const seen = fx.requests.slice(before).map(({ headers }) => headers['authorization']);
    return { content: stage.results()[0]?.content, seen };
  };
}

it.each(['the credential', 'its vault'])(
  'scenario 3: after %s is archived, a warm proxy has no token and the store no secret',
  async (what) => {
    const vault = await api.ask('POST', '/v1/vaults', {
      display_name: 'keys',
      metadata: { external_user_id: 'alice' },
    });
    const path = `/v1/vaults/${vault.body.id}`;
    const auth = { type: 'static_bearer', mcp_server_url: fx.url, token: TOKEN };
    const made = await api.ask('POST', `${path}/credentials`, { auth });
    const call = warmProxy(VaultId.parse(vault.body.id));
    const used = await call();
    expect(used.content).toEqual([{ type: 'text', text: '3' }]);
    expect(new Set(used.seen)).toEqual(new Set([`Bearer ${TOKEN}`]));

    const own = `${path}/credentials/${made.body.id}`;
    const archived = await api.ask('POST', `${what === 'its vault' ? path : own}/archive`);
    expect(archived.body.archived_at).not.toBeNull();
    expect((await api.ask('GET', own)).body.archived_at).not.toBeNull();
    expect(api.secrets.held()).not.toContain(made.body.id);
    const after = await call();
    expect(after.content).not.toEqual(used.content);
    expect(after.seen).not.toContain(`Bearer ${TOKEN}`);

    const again = await api.ask('POST', `${path}/credentials`, { auth });
    expect(again.status).toBe(what === 'its vault' ? 400 : 200);
  },
);
