import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '#aws/stamp.ts';
import type { CredentialId } from '#contract/ids.ts';
import type { Vault } from '#contract/vaults.ts';
import type { WaitingCall } from '#core/ports/connection-records.ts';
import type { Browser } from '#test/functions/connect/browser.ts';
import { BASE_URL, startFlow, waitingCall, WORKSPACE, type Flow } from '#test/functions/connect/flow.ts';

const RETURN_URL = 'https://app.example.com/done?tab=2';

describe('scenario 25: a connection', () => {
  let flow: Flow;
  beforeAll(async () => {
    flow = await startFlow();
  });
  afterAll(() => flow.close());

  it('shows the agent, the server and the target of the redirect, and starts no attempt before approval', async () => {
    const link = await flow.link('alice', { returnUrl: RETURN_URL });
    const page = await flow.browser().openAs('alice', link.url);
    expect(page.status).toBe(200);
    const server = new URL(flow.fx.url).host;
    const leadsTo = new URL(flow.as.issuer).host;
    for (const shown of ['Ada', server, 'files:read', leadsTo, 'agents.example.com', 'app.example.com']) {
      expect(page.text).toContain(shown);
    }
    expect(await flow.world.connections.find(link.id)).toMatchObject({ status: 'pending', attempt: null });
    expect(flow.as.requests.some(({ path }) => path.endsWith('/authorize') || path.endsWith('/register'))).toBe(false);
  });

  it('has pages without frames, caches and foreign content, and cookies of one host only', async () => {
    const link = await flow.link();
    const browser = flow.browser();
    const first = await browser.request(link.url);
    const page = await browser.openAs('alice', link.url);
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy.split('; ')).toEqual(
      expect.arrayContaining(["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"]),
    );
    expect(page.headers.get('cache-control')).toBe('no-store');
    expect(page.headers.get('referrer-policy')).toBe('no-referrer');
    expect(page.text).not.toMatch(/<script|<link|<img|src=/);
    for (const cookie of first.headers.getSetCookie()) {
      expect(cookie).toMatch(/^__Host-/);
      for (const attribute of ['Path=/', 'Secure', 'HttpOnly', 'SameSite=Lax']) expect(cookie).toContain(attribute);
      expect(cookie).not.toContain('Domain');
    }
    expect(first.headers.getSetCookie()).not.toEqual([]);
  });

  it('leads from approval to a credential and back to the return URL, and shows no token', async () => {
    const link = await flow.link('alice', { returnUrl: RETURN_URL });
    const browser = flow.browser();
    const consent = await browser.openAs('alice', link.url);
    const leaving = await browser.submit(consent);
    const asked = new URL(browser.next(leaving) ?? '');
    expect(Object.fromEntries(asked.searchParams)).toMatchObject({
      response_type: 'code',
      code_challenge_method: 'S256',
      resource: flow.fx.url,
      scope: 'files:read',
      redirect_uri: `${BASE_URL}/callback/${sha256(flow.as.issuer).slice(0, 32)}`,
    });
    expect(asked.searchParams.get('state')).toContain(link.id);

    const done = await browser.follow(leaving, 'https://app.example.com');
    expect(browser.next(done)).toBe(`${RETURN_URL}&connect_id=${link.id}`);
    const [credential] = await flow.credentials(link.vault);
    expect(credential).toMatchObject({
      display_name: 'files',
      auth: { type: 'mcp_oauth', mcp_server_url: flow.fx.url, refresh: { resource: flow.fx.url } },
    });
    expect(flow.as.tokenRequests.at(-1)?.form.get('resource')).toBe(flow.fx.url);
    const record = await flow.world.connections.find(link.id);
    expect(record).toMatchObject({ status: 'completed', error: null, attempt: null, storing: null });
    const [stored] = [...flow.secrets.values.values()].slice(-1);
    expect(stored).toEqual({ access_token: expect.any(String), refresh_token: expect.any(String) });
    const told = JSON.stringify([record, credential, consent.text, leaving.text, done.text, flow.audited, flow.lines]);
    for (const secret of Object.values(stored ?? {})) expect(told).not.toContain(secret);
    expect(flow.audited.filter((entry) => 'connect' in entry && entry.connect === link.id)).toMatchObject([
      { action: 'connect.approved', user: 'alice', outcome: 'done' },
      { action: 'connect.stored', credential: credential?.id, outcome: 'done' },
    ]);
  });

  it('replaces an existing credential, with the scopes that were granted before', async () => {
    const link = await flow.link();
    const browser = flow.browser();
    await browser.follow(await browser.submit(await browser.openAs('alice', link.url)));
    const [before] = await flow.credentials(link.vault);
    const wider = await flow.link('alice', { vault: link.vault.id, scopes: ['files:write'] });
    const leaving = await browser.submit(await browser.open(wider.url));
    expect(new URL(browser.next(leaving) ?? '').searchParams.get('scope')).toBe('files:read files:write');
    await browser.follow(leaving);
    const after = await flow.credentials(link.vault);
    expect(after.map(({ id }) => id)).toEqual([before?.id]);
    const place = { workspace: WORKSPACE, vault: link.vault.id, credential: before?.id as CredentialId };
    expect(await flow.world.credentials.find(place)).toMatchObject({
      version: 2,
      state: 'ok',
      issuer: flow.as.issuer,
      grantedScopes: ['files:read', 'files:write'],
    });
  });

  it('resumes every call and listing that waits for the server once', async () => {
    const calls = [
      ...['one', 'two', 'three'].map(waitingCall),
      { ...waitingCall('list'), call: null, sincePosition: null },
    ];
    const { url } = await offered(flow, await flow.vaultOf('alice'), calls);
    const browser = flow.browser();
    const done = await browser.follow(await browser.submit(await browser.openAs('alice', url)));
    expect(done.text).toContain('is connected');
    for (const page of [done, await browser.open(url)]) expect(page.text).toContain('goes on by itself');
    const resumed = flow.resumed.filter(({ call }) => calls.some((one) => one.call === call));
    expect(resumed).toHaveLength(calls.length);
    expect(resumed).toEqual(expect.arrayContaining(calls));
  });

  it('promises no automatic continuation when only a listing or nothing waited', async () => {
    const list = { ...waitingCall('list'), call: null };
    for (const { url } of [await offered(flow, await flow.vaultOf('alice'), [list]), await flow.link()]) {
      const browser = flow.browser();
      const done = await browser.follow(await browser.submit(await browser.openAs('alice', url)));
      expect(done.text).toContain('It is used from your next message on.');
      expect(done.text).not.toContain('goes on by itself');
    }
  });

  it('ends each waiting call once when the user declines here or at the authorization server', async () => {
    const noHere = async (browser: Browser, url: string) => {
      return browser.submit(await browser.openAs('alice', url), {}, `${url}/cancel`);
    };
    const noThere = async (browser: Browser, url: string) => {
      flow.as.decides({ error: { code: 'access_denied', description: '' } });
      const declined = await browser.follow(await browser.submit(await browser.openAs('alice', url)));
      flow.as.decides({});
      return declined;
    };
    for (const [action, sayNo] of [['cancelled', noHere] as const, ['declined', noThere] as const]) {
      const waiting = ['one', 'two'].map((name) => waitingCall(`${action}${name}`));
      const list = { ...waitingCall('list'), call: null, sincePosition: null };
      const { url, id } = await offered(flow, await flow.vaultOf('alice'), [...waiting, list]);
      const browser = flow.browser();
      expect((await sayNo(browser, url)).text).toContain('was not connected');
      await browser.open(url);
      const told = flow.declined.splice(0);
      expect(new Set(told.map(([call]) => call.call))).toEqual(new Set(waiting.map(({ call }) => call)));
      expect(told.map(([, reason]) => reason)).toEqual([
        expect.stringMatching(/^The user declined/),
        expect.stringMatching(/^The user declined/),
      ]);
      expect(await flow.world.connections.find(id)).toMatchObject({ status: 'failed', waiting: [], isSettled: true });
      expect(flow.audited.at(-1)).toMatchObject({ action: `connect.${action}`, connect: id, user: 'alice' });
    }
  });

  it('does not end a call that has a newer link, and ends one when its vault is closed', async () => {
    const vault = await flow.vaultOf('alice');
    const [both, first] = [waitingCall('both'), waitingCall('first')];
    const narrow = await offered(flow, vault, [both, first]);
    const wide = await offered(flow, vault, [both], ['files:write']);
    expect(wide.id).not.toBe(narrow.id);
    const browser = flow.browser();
    await browser.submit(await browser.openAs('alice', narrow.url), {}, `${narrow.url}/cancel`);
    expect(flow.declined.splice(0)).toMatchObject([[first, expect.stringMatching(/^The user declined/)]]);
    expect(await flow.world.connections.find(wide.id)).toMatchObject({ status: 'pending', waiting: [both] });

    await flow.world.connections.fail(wide.id, 'vault_closed', flow.world.stamp.now());
    expect((await browser.open(wide.url)).text).toContain('was not connected');
    expect(flow.declined.splice(0)).toMatchObject([[both, expect.stringMatching(/^The vault/)]]);
  });

  it('ends when the user cancels here or at the authorization server, and stores nothing', async () => {
    const here = await flow.link();
    const browser = flow.browser();
    const page = await browser.openAs('alice', here.url);
    const cancelled = await browser.submit(page, {}, `${here.url}/cancel`);
    expect(cancelled.text).toContain('was not connected');
    expect(await flow.world.connections.find(here.id)).toMatchObject({ status: 'failed', error: 'cancelled' });

    const there = await flow.link();
    flow.as.decides({ error: { code: 'access_denied', description: 'ring +1 555 for help' } });
    const declined = await browser.follow(await browser.submit(await browser.open(there.url)));
    flow.as.decides({});
    expect(declined.text).toContain('was not connected');
    expect(declined.text).not.toContain('+1 555');
    expect(await flow.world.connections.find(there.id)).toMatchObject({ status: 'failed', error: 'access_denied' });
    expect(await flow.credentials(here.vault)).toEqual([]);
    expect(await flow.credentials(there.vault)).toEqual([]);
  });

  it('is approved only by the form that was shown', async () => {
    const link = await flow.link();
    const browser = flow.browser();
    const page = await browser.openAs('alice', link.url);
    for (const forged of [{ token: '' }, { plan: '' }, { token: 'x'.repeat(43) }]) {
      const answer = await browser.submit(page, forged);
      expect(answer.status).toBe(409);
      expect(answer.text).toContain('look at it again');
    }
    expect(await flow.world.connections.find(link.id)).toMatchObject({ attempt: null });
  });

  it('expires after 24 hours', async () => {
    const link = await flow.link();
    const browser = flow.browser();
    await browser.openAs('alice', link.url);
    const { now } = flow.clock;
    flow.clock.now += 24 * 3_600_000;
    const late = await flow.browser().openAs('alice', link.url);
    flow.clock.now = now;
    expect(late.status).toBe(410);
  });
});

/** Makes one link for which all of these calls wait. */
async function offered(flow: Flow, vault: Vault, calls: readonly WaitingCall[], scopes: readonly string[] = []) {
  const offer = {
    ...{
      workspace: WORKSPACE,
      vault,
      server: { url: flow.fx.url, name: 'files', resourceMetadata: null },
      scopes: [...scopes],
    },
    agent: { id: 'agent_01' as never, name: 'Ada', version: 1 },
  };
  const offers = await Promise.all(calls.map((resume) => flow.links.offer({ ...offer, resume })));
  expect(new Set(offers.map((link) => link?.id)).size).toBe(1);
  return offers[0] ?? expect.fail('no link was offered');
}
