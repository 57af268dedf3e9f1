import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Decision } from '#test/mcp/authorization-server-script.ts';
import { startAuthorizationServer, type AuthorizationServer } from '#test/mcp/authorization-server.ts';
import { redirectUrl } from '#core/connect/registration.ts';
import { BASE_URL, startFlow, type Flow } from '#test/functions/connect/flow.ts';
import type { Browser } from '#test/functions/connect/browser.ts';

const METADATA_URL = `${BASE_URL}/client-metadata.json`;

describe('scenario 27: callback abuse', () => {
  let flow: Flow;
  let browser: Browser;
  beforeAll(async () => {
    flow = await startFlow();
  });
  beforeEach(() => {
    browser = flow.browser();
    flow.as.decides({});
  });
  afterAll(() => flow.close());

  /**
   * Alice approves, and the authorization server redirects her. Returns the callback's URL, which no request has used
   * yet.
   */
  async function wayBack(decision: Decision = {}) {
    const link = await flow.link();
    const leaving = await browser.submit(await browser.openAs('alice', link.url));
    flow.as.decides(decision);
    const answer = await browser.request(browser.next(leaving) ?? '');
    return { link, url: new URL(browser.next(answer) ?? '') };
  }

  async function refused(url: URL | string): Promise<void> {
    const before = flow.as.tokenRequests.length;
    const page = await browser.open(String(url));
    expect(page.status).toBe(400);
    expect(page.text).toContain('cannot be used');
    expect(flow.as.tokenRequests.length).toBe(before);
  }

  it('an answer is accepted once', async () => {
    const { link, url } = await wayBack();
    expect((await browser.open(url.href)).text).toContain('is connected');
    await refused(url);
    const { link: second, url: twice } = await wayBack();
    const both = await Promise.all([browser.request(twice.href), browser.request(twice.href)]);
    expect(both.map(({ status }) => status).toSorted()).toEqual([200, 400]);
    expect(await flow.credentials(link.vault)).toHaveLength(1);
    expect(await flow.credentials(second.vault)).toHaveLength(1);
  });

  it('an answer is refused after ten minutes', async () => {
    const { url } = await wayBack();
    flow.clock.now += 10 * 60_000;
    await refused(url);
    flow.clock.now -= 10 * 60_000;
  });

  it('an answer is refused when its state is altered, missing, or from before the approval', async () => {
    const { link, url } = await wayBack();
    const [id = '', nonce = '', seal = ''] = (url.searchParams.get('state') ?? '').split('.');
    for (const state of ['', `${id}.${nonce}`, `${id}.${nonce}x.${seal}`, `${id}.${nonce}.${'A'.repeat(43)}`]) {
      const altered = new URL(url);
      altered.searchParams.set('state', state);
      await refused(altered);
    }
    const unapproved = await flow.link();
    const other = new URL(url);
    other.searchParams.set('state', `${unapproved.id}.${nonce}.${seal}`);
    await refused(other);
    expect(await flow.credentials(link.vault)).toEqual([]);
  });

  it('an answer is refused in another browser, even of the same user', async () => {
    const { url, link } = await wayBack();
    const mine = browser;
    browser = flow.browser();
    await refused(url);
    await browser.openAs('alice', link.url);
    await refused(url);
    expect((await mine.open(url.href)).text).toContain('is connected');
  });

  it('an answer is refused from another issuer, and without one where the server promised one', async () => {
    for (const iss of ['https://evil.example.com', `${flow.as.issuer}/`, null]) {
      const { link, url } = await wayBack({ iss });
      await refused(url);
      // The answer is used up, so that a second one, right or wrong, is refused.
      url.searchParams.set('iss', flow.as.issuer);
      await refused(url);
      expect(await flow.credentials(link.vault)).toEqual([]);
    }
  });

  it('the text of an error is not shown', async () => {
    const description = '<b>Call +1 555 0100</b>';
    const { url: wrong } = await wayBack({
      iss: 'https://evil.example.com',
      error: { code: 'server_error', description },
    });
    expect((await browser.open(wrong.href)).text).not.toContain('555');
    const { link, url } = await wayBack({ error: { code: '"><script>', description } });
    const page = await browser.open(url.href);
    expect(page.status).toBe(502);
    expect(page.text).not.toMatch(/555|<script/);
    expect(page.text).toContain('authorization_failed');
    // A failure of the server is not the user's decision, so the link stays valid.
    expect(await flow.world.connections.find(link.id)).toMatchObject({
      status: 'pending',
      error: 'authorization_failed',
    });
    flow.as.decides({});
    const again = await browser.follow(await browser.submit(await browser.open(link.url)));
    expect(again.text).toContain('is connected');
  });

  it('a second approval ends the first attempt', async () => {
    const { link, url } = await wayBack();
    const leaving = await browser.submit(await browser.open(link.url));
    await refused(url);
    expect((await browser.follow(leaving)).text).toContain('is connected');
  });
});

describe('scenario 27: mix-up with an authorization server that does not name itself', () => {
  const authorizationServers: string[] = [];
  const says = (honest: Record<string, unknown>) => ({
    ...honest,
    authorization_response_iss_parameter_supported: undefined,
  });
  let flow: Flow;
  let hostile: AuthorizationServer;
  beforeAll(async () => {
    flow = await startFlow({ server: { authorizationServers }, authorizationServer: { says, cimd: true } });
    hostile = await startAuthorizationServer({ says, cimd: true });
    flow.as.decides({ iss: null });
  });
  afterAll(async () => {
    await flow.close();
    await hostile.close();
  });

  it('a hostile server that sends the browser there gets no code of it', async () => {
    const browser = flow.browser();
    authorizationServers.splice(0, 1, flow.as.issuer);
    const honest = await flow.link();
    const toHonest = await browser.submit(await browser.openAs('alice', honest.url));
    const own = new URL(browser.next(toHonest) ?? '');
    expect((await browser.follow(toHonest)).text).toContain('is connected');

    authorizationServers.splice(0, 1, hostile.issuer);
    const link = await flow.link();
    const asked = new URL(browser.next(await browser.submit(await browser.open(link.url))) ?? '');
    expect(asked.origin).toBe(new URL(hostile.issuer).origin);
    // The hostile server redirects to the honest one, as the client that is known there, and keeps the state.
    const mixedUp = new URL(own);
    for (const name of ['state', 'code_challenge']) mixedUp.searchParams.set(name, asked.searchParams.get(name) ?? '');
    const back = new URL(browser.next(await browser.request(mixedUp.href)) ?? '');
    expect(back.searchParams.get('code')).not.toBeNull();
    const page = await browser.open(back.href);
    expect([page.status, page.text]).toEqual([400, expect.stringContaining('cannot be used')]);
    expect(hostile.tokenRequests).toEqual([]);
    expect(await flow.credentials(link.vault)).toEqual([]);

    // The honest server sends no code of its client to the hostile server's address.
    mixedUp.searchParams.set('redirect_uri', asked.searchParams.get('redirect_uri') ?? '');
    expect(browser.next(await browser.request(mixedUp.href))).toBeNull();
  });

  it('a hostile server gets no code of the client that every server knows by its metadata', async () => {
    const browser = flow.browser();
    authorizationServers.splice(0, 1, hostile.issuer);
    const link = await flow.link();
    const asked = new URL(browser.next(await browser.submit(await browser.openAs('alice', link.url))) ?? '');
    const mixedUp = new URL(asked.href.replace(hostile.issuer, flow.as.issuer));
    mixedUp.searchParams.set('client_id', METADATA_URL);
    // The only redirect URL in the metadata.
    mixedUp.searchParams.set('redirect_uri', `${BASE_URL}/callback`);
    const back = new URL(browser.next(await browser.request(mixedUp.href)) ?? '');
    expect(back.searchParams.get('code')).not.toBeNull();
    const page = await browser.open(back.href);
    expect([page.status, page.text]).toEqual([400, expect.stringContaining('cannot be used')]);
    expect(hostile.tokenRequests).toEqual([]);
    expect(await flow.credentials(link.vault)).toEqual([]);
  });

  it('a server that registers the service under the id of its metadata gets a redirect URL of its own', () => {
    const client = { id: METADATA_URL, auth: 'none', secret: null } as const;
    const { issuer } = hostile;
    const [unnamed, named] = [false, true].map((namesItself) =>
      redirectUrl(flow.world, { issuer, namesItself, client }),
    );
    expect([unnamed, named]).toEqual([expect.stringMatching(/\/callback\/[0-9a-f]{32}$/), `${BASE_URL}/callback`]);
  });
});
