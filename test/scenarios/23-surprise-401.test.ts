import { expect, it, onTestFinished } from 'vitest';
import { carryBearer } from '#core/mcp/caller.ts';
import type { Bearer, NoBearer } from '#core/ports/tokens.ts';
import {
  connected,
  FOREVER,
  newCredential,
  SERVER_URL,
  tokenIn,
  VAULT,
} from '#test/functions/core/vault/refresh.fixture.ts';
import { callOf, clientForTests, ON, targetOf } from '#test/mcp/client.ts';
import { startFx, type Fx } from '#test/mcp/fx.ts';
import { NOW } from '#test/functions/core/given.ts';

const held = (answer: Bearer | NoBearer): Bearer =>
  answer.status === 'bearer' ? answer : expect.fail(`no bearer: ${answer.detail}`);

it('scenario 23: a token that is refused before its end is renewed once, and all calls with it share the new one', async () => {
  const { server, first, bearer, renew, engine } = await connected({ expiresInMs: 3_000_000 });
  const refused = held(await bearer());
  expect(refused.token).toBe(first.access_token);
  const others = [engine(), engine(), engine()];
  const renewed = await Promise.all([renew(refused), ...others.map((other) => other.renew(refused))]);
  expect(new Set(renewed.map(tokenIn)).size).toBe(1);
  expect(server.grants.accepts(tokenIn(renewed[0] ?? expect.fail('nothing')))).not.toBeNull();
  expect(server.tokenRequests).toHaveLength(1);
});

/** One call with the user's token, as the proxy makes it. */
async function called(setup: Awaited<ReturnType<typeof connected>>, fx: Fx) {
  const match = { vault: VAULT, stored: await setup.row() };
  const carried = await carryBearer(setup, { match, user: null, managed: null }, FOREVER);
  if (carried.status !== 'carried') return expect.fail(carried.detail);
  return clientForTests().callTool(targetOf(fx.url, { bearer: carried.bearer }), callOf('sum', { a: 1, b: 2 }), ON);
}

it('scenario 23: a server that refuses every token gets two of them, and the call ends', async () => {
  const setup = await connected({ expiresInMs: 3_000_000 });
  const fx = await startFx({ tokens: {} });
  onTestFinished(fx.close);
  expect(await called(setup, fx)).toMatchObject({ status: 'failed', kind: 'authentication' });
  expect(setup.server.tokenRequests).toHaveLength(1);
  const seen = fx.requests.map(({ headers }) => headers['authorization']);
  expect(new Set(seen).size).toBe(2);
  expect(seen[0]).toBe(`Bearer ${setup.first.access_token}`);
});

it('scenario 23: a server that wants a newer token is called with it', async () => {
  const setup = await connected({ expiresInMs: 3_000_000 });
  const fx = await startFx({ tokens: {} });
  onTestFinished(fx.close);
  fx.intercept = ({ headers }) => {
    const token = headers['authorization']?.replace(/^Bearer /, '') ?? '';
    if (token !== setup.first.access_token && setup.server.grants.accepts(token) !== null) fx.tokens?.set(token, []);
    return undefined;
  };
  expect(await called(setup, fx)).toMatchObject({ status: 'answered', isError: false });
  expect(setup.server.tokenRequests).toHaveLength(1);
  expect(fx.calls('sum')).not.toHaveLength(0);
});

it('scenario 23: a newer token in the row is used without a token request', async () => {
  const { server, bearer, renew, engine } = await connected({ expiresInMs: 3_000_000 });
  const refused = held(await bearer());
  const newer = tokenIn(await engine().renew(refused));
  expect(tokenIn(await renew(refused))).toBe(newer);
  expect(server.tokenRequests).toHaveLength(1);
});

it('scenario 23: during a cool-down of the authorization server a refused token is not used again', async () => {
  const { server, bearer, renew } = await connected({ expiresInMs: 3_000_000 });
  const refused = held(await bearer());
  server.always({ do: 'say', code: 503, body: '' });
  expect(await renew(refused)).toMatchObject({ status: 'unavailable' });
  expect(await renew(refused)).toMatchObject({ status: 'unavailable' });
  expect(server.tokenRequests).toHaveLength(1);
});

it('scenario 23: a refused token without a refresh needs a new one from its user, and its row is unchanged', async () => {
  const { rows, secrets, row, bearer, renew, server } = await connected();
  const auth = { type: 'static_bearer' as const, mcp_server_url: SERVER_URL };
  await rows.save(newCredential(auth, secrets.seed({ token: 'static-token' }), NOW));
  const before = await row();
  const refused = held(await bearer());
  expect(refused).toMatchObject({ token: 'static-token', inUse: ['static-token'] });
  expect(await renew(refused)).toMatchObject({ status: 'needs_reauth' });
  expect(await row()).toEqual(before);
  expect(tokenIn(await bearer())).toBe('static-token');
  expect(server.requests).toEqual([]);
});

it('scenario 23: a static token that was replaced since its refusal is used', async () => {
  const { rows, secrets, row, tokens } = await connected();
  const auth = { type: 'static_bearer' as const, mcp_server_url: SERVER_URL };
  await rows.save(newCredential(auth, secrets.seed({ token: 'old' }), NOW));
  const match = { vault: VAULT, stored: await row() };
  const refused = held(await tokens.bearer(match, FOREVER));
  await rows.credentials.replace({ ...match.stored, version: 2, secrets: secrets.seed({ token: 'new' }) });
  expect(tokenIn(await tokens.renew(match, refused, FOREVER))).toBe('new');
});
