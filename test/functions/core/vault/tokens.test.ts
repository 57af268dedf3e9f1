import { expect, it } from 'vitest';
import type { Bearer, NoBearer } from '#core/ports/tokens.ts';
import {
  connected,
  IDENTITY,
  newCredential,
  SERVER_URL,
  tokenIn,
  VAULT,
} from '#test/functions/core/vault/refresh.fixture.ts';
import { NOW } from '#test/functions/core/given.ts';

const inUse = (answer: Bearer | NoBearer) => (answer.status === 'bearer' ? answer.inUse : []);

it('the token engine reads the secrets of a version once in five minutes', async () => {
  const { bearer, secrets, stamp } = await connected({ expiresInMs: 3_000_000 });
  for (let call = 0; call < 3; call += 1) await bearer();
  expect(secrets.reads).toBe(1);
  stamp.advance(299_999);
  await bearer();
  expect(secrets.reads).toBe(1);
  stamp.advance(1);
  await bearer();
  expect(secrets.reads).toBe(2);
});

it('the token engine caches no token that ends within a minute', async () => {
  const { bearer, secrets, server } = await connected({ expiresInMs: 59_000 });
  server.always({ do: 'say', code: 503, body: '' });
  for (let call = 0; call < 2; call += 1) tokenIn(await bearer());
  const reads = secrets.reads;
  await bearer();
  expect(secrets.reads).toBe(reads + 1);
});

it('the token engine uses the token that it refreshed without reading it again', async () => {
  const { bearer, secrets } = await connected();
  const token = tokenIn(await bearer());
  const reads = secrets.reads;
  expect(tokenIn(await bearer())).toBe(token);
  expect(secrets.reads).toBe(reads);
});

it('the token engine finds nothing for an older version', async () => {
  const { bearer, engine } = await connected({ expiresInMs: 3_000_000 });
  const first = await bearer();
  if (first.status !== 'bearer') expect.fail(first.detail);
  const newer = tokenIn(await engine().renew(first));
  expect(tokenIn(await bearer())).toBe(newer);
});

it('the token engine names every secret that a call could leak: old tokens, new tokens, and the client’s', async () => {
  const { bearer, first, row, secrets, world } = await connected({ clientSecret: 'the-client-secret' });
  const values = inUse(await bearer());
  const { workspace, credential } = await row();
  const place = { workspace, vault: VAULT.id, credential: credential.id };
  const now = Object.values(await world.secrets.read(place, (await row()).secrets));
  expect(secrets.versions).toBe(2);
  expect(new Set(values)).toEqual(new Set([first.access_token, first.refresh_token, 'the-client-secret', ...now]));
});

it('the token engine makes one token request for all calls of one instance', async () => {
  const { bearer, server, secrets } = await connected();
  const tokens = await Promise.all(Array.from({ length: 20 }, async () => tokenIn(await bearer())));
  expect(new Set(tokens).size).toBe(1);
  expect(server.tokenRequests).toHaveLength(1);
  expect(secrets.reads).toBe(1);
});

it('the token engine uses a token that is still valid while another instance refreshes it', async () => {
  const { bearer, engine, server, first } = await connected({ expiresInMs: 30_000 });
  const asking = Promise.withResolvers<void>();
  server.answer({ do: 'grant', change: {}, after: asking.promise });
  const refreshing = engine().bearer();
  await expect.poll(() => server.tokenRequests).toHaveLength(1);
  expect(tokenIn(await bearer())).toBe(first.access_token);
  asking.resolve();
  expect(tokenIn(await refreshing)).not.toBe(first.access_token);
});

it('the token engine finishes a refresh that it began when the caller has left', async () => {
  const { tokens, server, row, engine } = await connected();
  const asking = Promise.withResolvers<void>();
  server.answer({ do: 'grant', change: {}, after: asking.promise });
  const leaving = new AbortController();
  const left = tokens.bearer({ vault: VAULT, stored: await row() }, leaving.signal);
  await expect.poll(() => server.tokenRequests).toHaveLength(1);
  leaving.abort(new RangeError('the caller left'));
  await expect(left).rejects.toThrow('the caller left');
  asking.resolve();
  await expect.poll(async () => (await row()).version).toBe(2);
  expect(server.grants.accepts(tokenIn(await engine().bearer()))).not.toBeNull();
  expect(server.tokenRequests).toHaveLength(1);
});

it('the token engine begins no refresh for a caller that has left', async () => {
  const { tokens, server, row } = await connected();
  const left = tokens.bearer({ vault: VAULT, stored: await row() }, AbortSignal.abort(new RangeError('gone')));
  await expect(left).rejects.toThrow('gone');
  expect((await row()).lease).toBeNull();
  expect(server.tokenRequests).toEqual([]);
});

it('the token engine stops waiting after 30 seconds for an instance that never ends its refresh', async () => {
  const { engine, world, rows, row, server } = await connected();
  const until = '2026-11-21T23:00:00.000Z';
  rows.put({ ...(await row()), lease: { owner: 'other', until } });
  let waits = 0;
  const pause = async (ms: number) => {
    waits += 1;
    await world.pause(ms);
  };
  expect(await engine({ pause }).bearer()).toMatchObject({ status: 'unavailable', retryAfterMs: 15_000 });
  expect(waits).toBe(30_000 / 125);
  expect(server.requests).toEqual([]);
});

it('the token engine sends no expired token that cannot be refreshed', async () => {
  const { rows, secrets, bearer } = await connected();
  const auth = { type: 'mcp_oauth' as const, mcp_server_url: SERVER_URL, expires_at: NOW, refresh: null };
  await rows.save(newCredential(auth, secrets.seed({ access_token: 'over' }), NOW));
  expect(await bearer()).toMatchObject({ status: 'needs_reauth' });
});

it('the token engine reaches the identity provider through its own outbound port, and other servers not', async () => {
  const { engine, server } = await connected();
  const nowhere = { fetch: async () => ({ status: 'failed', failure: 'blocked', message: 'is private' }) as const };
  server.always({ do: 'grant', change: { id_token: 'e30.e30.c2ln' } });
  expect(tokenIn(await engine({ outbound: nowhere, enterprise: IDENTITY }).bearer())).toBe('e30.e30.c2ln');
  const other = await connected();
  expect(tokenIn(await other.engine({ identityOutbound: nowhere }).bearer())).toEqual(expect.any(String));
});
