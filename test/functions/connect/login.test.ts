import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createConnectApp } from '../../../functions/connect/app.ts';
import { createGuardedFetch } from '#aws/outbound/guarded-fetch.https.ts';
import { resolveBySystem } from '#aws/outbound/redirects.https.ts';
import { createIdentityProvider } from '#aws/connect/identity-provider.openid-client.ts';
import { Fault } from '#core/ports/errors.ts';
import { createBrowser } from './browser.ts';
import { BASE_URL, startFlow, type Flow } from './flow.ts';

const LIMITS = { maxBytes: 100_000, totalMs: 60_000, idleMs: 60_000, maxRedirects: 0 };

describe('the login on the connect page', () => {
  let flow: Flow;
  beforeAll(async () => {
    flow = await startFlow();
  });
  afterAll(() => flow.close());

  it('asks the identity provider with PKCE, state and nonce', async () => {
    const link = await flow.link();
    const browser = flow.browser();
    const asked = new URL(browser.next(await browser.request(link.url)) ?? '');
    expect(asked.origin).toBe(flow.idp.login.issuer);
    expect(Object.fromEntries(asked.searchParams)).toMatchObject({
      ...{ response_type: 'code', scope: 'openid', code_challenge_method: 'S256', client_id: 'brainstem' },
      redirect_uri: `${BASE_URL}/login/callback`,
    });
    for (const name of ['state', 'nonce', 'code_challenge'])
      expect(asked.searchParams.get(name)?.length).toBeGreaterThan(20);
  });

  it('refuses the answer to another login, and an answer that was used before', async () => {
    const link = await flow.link('mallory');
    const mallory = flow.browser();
    await mallory.openAs('mallory', link.url);
    const victims = await flow.link('alice');
    const alice = flow.browser();
    await alice.request(victims.url);
    const planted = `${BASE_URL}/login/callback?code=stolen&state=guessed&iss=${flow.idp.login.issuer}`;
    expect((await alice.request(planted)).status).toBe(403);
    expect((await flow.browser().request(planted)).status).toBe(403);
    expect((await alice.open(victims.url)).url).toContain(flow.idp.login.issuer);
  });

  it('reports that the identity provider does not answer and where that is logged, and works when it is back', async () => {
    const link = await flow.link();
    const down = new Fault('login_unavailable', 'down');
    const identity = { ...flow.world.identity, loginUrl: () => Promise.reject(down) };
    const app = createConnectApp({ ...flow.world, identity });
    const browser = createBrowser({ baseUrl: BASE_URL, fetch: (request) => app.fetch(request) });
    const page = await browser.request(link.url);
    expect(page.status).toBe(503);
    expect(page.text).toMatch(/logged as req_\w+/);
    expect(page.text).not.toContain('down');
    expect((await flow.browser().openAs('alice', link.url)).status).toBe(200);
  });

  it('logs the host and the rule when this service’s own rules refuse the identity provider', async () => {
    const { login } = flow.idp;
    const fetch = createGuardedFetch({ allow: [], resolve: resolveBySystem }, LIMITS);
    const identity = createIdentityProvider({
      login: { ...login, issuer: 'https://10.0.0.1' },
      ...{ clientSecret: async () => 'canary', fetch },
    });
    const app = createConnectApp({ ...flow.world, identity });
    const browser = createBrowser({ baseUrl: BASE_URL, fetch: (request) => app.fetch(request) });
    expect((await browser.request((await flow.link()).url)).status).toBe(503);
    expect(flow.lines.at(-1)).toMatchObject({
      error_class: 'login_unavailable',
      error_cause: 'OutboundError',
      error_detail: expect.stringMatching(/^10\.0\.0\.1 .+/),
    });
  });

  it('shows nothing of a connection to a user who is not logged in', async () => {
    const link = await flow.link();
    const first = await flow.browser().request(link.url);
    expect(first.text).toBe('');
    expect((await flow.browser().request(`${BASE_URL}/conn_unknown`)).status).toBe(404);
    expect((await flow.browser().request(`${BASE_URL}/..%2Fx`)).status).toBe(404);
  });
});
