import { describe, expect, it } from 'vitest';
import { identify } from '#core/mcp/caller.ts';
import { WORKSPACE } from '#test/functions/connect/flow.ts';
import { managedSession } from '#test/mcp/managed-session.ts';

type Managed = Awaited<ReturnType<typeof managedSession>>;

const ID_JAG = 'urn:ietf:params:oauth:token-type:id-jag';
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

/** The token requests to the MCP server's authorization server. */
const admissions = ({ flow }: Managed) => flow.as.tokenRequests.map(({ form }) => Object.fromEntries(form));

/** Signs in at the link of the session's call. */
async function signIn(managed: Managed): Promise<void> {
  await managed.session.call();
  const browser = managed.flow.browser();
  await browser.follow(await browser.submit(await browser.openAs('alice', managed.asked())));
}

const bearers = ({ flow }: Managed) => flow.fx.requests.map(({ headers }) => headers['authorization'] ?? '');

describe('scenario 30: a server that the organisation manages', () => {
  it('is called without a browser: with an assertion of the identity provider and a token of the authorization server', async () => {
    const managed = await managedSession();
    const { flow, session } = managed;
    const { idToken, credential } = await managed.hold();
    await session.call();
    expect(session.results()).toMatchObject([{ is_error: false, content: [{ text: expect.any(String) }] }]);
    expect(session.errors()).toEqual([]);
    expect(flow.idp.exchanges).toEqual([
      {
        requested_token_type: ID_JAG,
        audience: flow.as.issuer,
        resource: flow.fx.url,
        subject_token: idToken,
        subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
        scope: 'files:read',
        client: 'brainstem',
      },
    ]);
    const [admission, ...more] = admissions(managed);
    expect(more).toEqual([]);
    expect(admission).toEqual({
      grant_type: JWT_BEARER,
      assertion: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      scope: 'files:read',
      client_id: 'client-1',
    });
    expect(flow.as.requests.some(({ path }) => /authorize|register/.test(path))).toBe(false);
    const [bearer = '', ...others] = [...new Set(bearers(managed))];
    expect(others).toEqual([]);
    expect(flow.as.grants.accepts(bearer.replace(/^Bearer /, ''))).toMatchObject({
      subject: 'alice',
      resource: flow.fx.url,
    });
    expect(session.outcomes()).toMatchObject([{ outcome: 'done', credential, credential_version: 1 }]);
  });

  it('has its token requested with the authorization server’s own spelling of its issuer', async () => {
    const managed = await managedSession({
      authorizationServer: { says: (honest) => ({ ...honest, issuer: `${String(honest['issuer'])}/` }) },
    });
    await managed.hold();
    await managed.bearer();
    expect(managed.flow.idp.exchanges).toMatchObject([{ audience: `${managed.flow.as.issuer}/` }]);
  });

  it('is called again with the same token until that is about to end', async () => {
    const managed = await managedSession();
    await managed.hold();
    const first = await managed.bearer();
    expect(await managed.bearer()).toBe(first);
    expect(admissions(managed)).toHaveLength(1);
    managed.flow.clock.now += 301_000;
    expect(await managed.bearer()).not.toBe(first);
    expect(admissions(managed)).toHaveLength(2);
  });

  it('is not called with that token for a session of another user', async () => {
    const managed = await managedSession();
    await managed.hold();
    expect(await managed.bearer()).toEqual(expect.any(String));
    expect(await managed.bearer('bob')).toMatchObject({ status: 'other_user' });
  });

  it('is called only as long as the identity is in the vault', async () => {
    const managed = await managedSession();
    const place = await managed.hold();
    expect(await managed.bearer()).toEqual(expect.any(String));
    await managed.flow.world.credentials.archive(place, managed.flow.world.stamp.now());
    expect(await managed.bearer()).toMatchObject({ status: 'needs_reauth' });
  });

  it('is closed after a denial without another request for 30 seconds', async () => {
    const managed = await managedSession();
    await managed.hold();
    managed.flow.idp.refuses('access_denied');
    for (let call = 0; call < 3; call += 1) expect(await managed.bearer()).toMatchObject({ status: 'access_denied' });
    expect(managed.flow.idp.exchanges).toHaveLength(1);
    managed.flow.idp.refuses(null);
    managed.flow.clock.now += 31_000;
    expect(await managed.bearer()).toEqual(expect.any(String));
  });

  it.each(['invalid_grant', 'invalid_request'])(
    'is closed in the same way after the denial %s of a renewed sign-in',
    async (code) => {
      const managed = await managedSession();
      await signIn(managed);
      managed.flow.idp.refuses(code);
      for (let call = 0; call < 3; call += 1) expect(await managed.bearer()).toMatchObject({ status: 'access_denied' });
      expect(managed.flow.idp.exchanges).toHaveLength(2);
    },
  );

  it.each([
    ['access_denied', 'access_denied', 'The organisation of the user does not give access'],
    ['invalid_target', 'access_denied', 'The organisation of the user does not give access'],
    ['invalid_grant', 'access_denied', 'The organisation of the user does not give access'],
    ['invalid_request', 'access_denied', 'The organisation of the user does not give access'],
    ['invalid_client', 'unavailable', 'cannot be had just now'],
    ['temporarily_unavailable', 'unavailable', 'cannot be had just now'],
    ['slow_down', 'unavailable', 'cannot be had just now'],
  ])(
    'cannot be called after the identity provider’s error %s, which is the result and recorded, without a link',
    async (code, error, text) => {
      const managed = await managedSession();
      const { flow, session } = managed;
      await managed.hold();
      flow.idp.refuses(code);
      await session.call();
      expect(session.results()).toMatchObject([{ is_error: true, content: [{ text: expect.stringContaining(text) }] }]);
      expect((await session.state()).calls).toEqual([]);
      expect(session.outcomes()).toMatchObject([{ outcome: 'failed', error }]);
      const [told] = session.errors();
      expect(told?.error.type).toBe('mcp_authentication_failed_error');
      expect(told?.error.message).not.toMatch(/https?:/);
      expect(JSON.stringify([session.entries(), session.audited, session.lines, flow.lines])).not.toContain('+1 555');
      expect(admissions(managed)).toEqual([]);
      expect(flow.fx.requests).toEqual([]);
    },
  );

  it('cannot be called after an error of the authorization server', async () => {
    const managed = await managedSession({ authorizationServer: { clients: [] } });
    const { flow, session } = managed;
    await managed.hold();
    await session.call();
    expect(admissions(managed)).toHaveLength(1);
    expect(session.outcomes()).toMatchObject([{ outcome: 'failed', error: 'unavailable' }]);
    expect(flow.fx.requests).toEqual([]);
  });

  it('is not called with a credential that the user has for it', async () => {
    const managed = await managedSession();
    const { flow, session } = managed;
    await managed.hold();
    await managed.hold({ mcp_server_url: flow.fx.url, access_token: 'of-an-earlier-consent' });
    flow.idp.refuses('access_denied');
    await session.call();
    expect(session.results()).toMatchObject([{ is_error: true }]);
    expect(flow.fx.requests).toEqual([]);
  });

  it('is not called with such a credential by an agent that spells its URL differently', async () => {
    const { flow, vault, hold } = await managedSession();
    const spelled = `${flow.fx.url}?profile=mine`;
    await hold({ mcp_server_url: spelled, access_token: 'of-an-earlier-consent' });
    const { credential } = await hold();
    const acting = await identify(flow.world, { workspace: WORKSPACE, vaults: [vault.id] }, spelled);
    expect(acting).toMatchObject({
      managed: { url: flow.fx.url },
      match: { stored: { credential: { id: credential } } },
    });
  });

  it('has its token redacted from results', async () => {
    const managed = await managedSession({ tool: 'echo_headers' });
    const { flow, session } = managed;
    const { credential } = await managed.hold();
    await session.call();
    const [bearer = ''] = bearers(managed);
    expect(bearer).toMatch(/^Bearer access-/);
    expect(session.results()).toMatchObject([
      { is_error: false, content: [{ text: expect.stringContaining(`[redacted:${credential}]`) }] },
    ]);
    expect(session.outcomes()).toMatchObject([{ outcome: 'done', secret_echo: true }]);
    const told = JSON.stringify([session.entries(), session.lines, session.audited, flow.lines]);
    expect(told).not.toContain(bearer.replace('Bearer ', ''));
  });

  it('that refuses the token gets one new token, and the user is not asked', async () => {
    const managed = await managedSession();
    const { flow, session } = managed;
    await managed.hold();
    flow.fx.intercept = () => new Response('no', { status: 401 });
    await session.call();
    expect(admissions(managed)).toHaveLength(2);
    expect(new Set(bearers(managed)).size).toBe(2);
    expect(session.results()).toMatchObject([{ is_error: true, content: [{ text: expect.stringMatching(/^auth/) }] }]);
    expect(session.errors().map(({ error }) => error.message)).toEqual([expect.not.stringMatching(/https?:/)]);
  });

  it('does not exist at the identity provider’s own URL: an agent that names it gets no token', async () => {
    const { flow, vault, hold } = await managedSession();
    await hold();
    const url = flow.world.enterprise?.identityUrl ?? expect.fail('there is none');
    const asked = identify(flow.world, { workspace: WORKSPACE, vaults: [vault.id] }, url);
    expect(await asked).toMatchObject({ status: 'known', user: 'alice', match: null, home: null });
  });
});

describe('scenario 30: a user of a managed server', () => {
  it('who has not signed in is asked once, and the waiting call is made', async () => {
    const managed = await managedSession();
    const { flow, session, vault } = managed;
    await session.call();
    expect(flow.fx.requests).toEqual([]);
    expect((await session.state()).calls).toMatchObject([{ waitsFor: 'confirmation', isSuspended: true }]);

    const browser = flow.browser();
    const page = await browser.openAs('alice', managed.asked());
    for (const shown of ['Your organisation decides', new URL(flow.idp.login.issuer).host]) {
      expect(page.text).toContain(shown);
    }
    expect(await flow.credentials(vault)).toEqual([]);
    const done = await browser.follow(await browser.submit(page));
    expect(done.text).toContain('is connected');
    expect(flow.resumed).toMatchObject([{ call: session.open.id }]);
    expect(flow.as.requests.some(({ path }) => path.endsWith('/authorize'))).toBe(false);
    const [held, ...more] = await flow.credentials(vault);
    expect(more).toEqual([]);
    expect(held?.auth).toMatchObject({
      mcp_server_url: flow.world.enterprise?.identityUrl,
      refresh: { resource: null },
    });
    const told = JSON.stringify([page.text, done.text, flow.audited, flow.lines, held]);
    for (const secret of [...flow.secrets.values.values()].flatMap((values) => Object.values(values))) {
      expect(told).not.toContain(secret);
    }

    await session.when({ do: 'resume', call: session.open.id });
    await session.call();
    expect(session.results()).toMatchObject([{ is_error: false }]);
    expect(session.outcomes()).toMatchObject([{ outcome: 'suspended' }, { outcome: 'done', credential: held?.id }]);
  });

  it('is not asked again when the sign-in expires and can be renewed', async () => {
    const managed = await managedSession();
    const { flow } = managed;
    await signIn(managed);
    const first = flow.idp.exchanges.length;
    // After the end of the ID token, while the refresh token is valid.
    flow.clock.now += 700_000;
    const token = await managed.bearer();
    expect(token).toEqual(expect.any(String));
    expect(await managed.bearer()).toBe(token);
    const subjects = flow.idp.exchanges.slice(first).map(({ subject_token: subject }) => subject);
    expect(subjects).toHaveLength(1);
    const [held] = [...flow.secrets.values.values()].slice(-1);
    expect(held?.access_token).toBe(subjects[0]);
  });

  it('is asked to sign in again when the sign-in cannot be renewed', async () => {
    const managed = await managedSession();
    await managed.hold({ expires_at: new Date(managed.flow.clock.now + 60_000).toISOString() });
    managed.flow.clock.now += 61_000;
    await managed.session.call();
    expect(managed.asked()).toContain('/connect/conn_');
    expect(managed.flow.idp.exchanges).toEqual([]);
  });

  it.each([
    ['invalid_grant', -60],
    ['invalid_request', -60],
    // The provider's clock differs from the service's.
    ['invalid_grant', 30],
  ])(
    'is asked to sign in again when %s is the only sign that the sign-in has ended, with %i s left',
    async (code, endsIn) => {
      const managed = await managedSession();
      managed.flow.idp.refuses(code);
      const exp = Math.floor(managed.flow.clock.now / 1000) + endsIn;
      await managed.hold({ access_token: managed.flow.idp.idToken('alice', { exp }) });
      await managed.session.call();
      expect(managed.flow.idp.exchanges).toHaveLength(1);
      expect(managed.asked()).toContain('/connect/conn_');
    },
  );

  it('is the only person with a stored sign-in', async () => {
    const managed = await managedSession();
    const { flow, session, vault } = managed;
    await session.call();
    const mallory = flow.browser();
    expect((await mallory.openAs('mallory', managed.asked())).text).toContain('user_mismatch');
    // Mallory signs in, in the browser in which Alice has approved.
    const alice = flow.browser();
    const leaving = await alice.submit(await alice.openAs('alice', managed.asked()));
    alice.jarOf(flow.idp.login.issuer).clear();
    const other = await alice.openAs('mallory', alice.next(leaving) ?? '');
    expect(other.text).toContain('user_mismatch');
    expect(await flow.credentials(vault)).toEqual([]);
  });

  it.each([
    ['another user', {}, 'mallory'],
    ['no user', { sub: undefined }, 'alice'],
  ])(
    'is asked to sign in when the vault holds the sign-in of %s, which is sent to no server',
    async (_user, claims, user) => {
      const managed = await managedSession();
      const { flow, session } = managed;
      const { credential } = await managed.hold({ access_token: flow.idp.idToken(user, claims) });
      await session.call();
      expect(flow.idp.exchanges).toEqual([]);
      expect(session.errors().at(-1)?.error.message).toContain("is not its user's");
      expect(session.outcomes()).toMatchObject([{ outcome: 'suspended', error: 'other_user', credential }]);

      const browser = flow.browser();
      await browser.follow(await browser.submit(await browser.openAs('alice', managed.asked())));
      await session.when({ do: 'resume', call: session.open.id });
      await session.call();
      expect(session.results()).toMatchObject([{ is_error: false }]);
    },
  );

  it('has not agreed by opening the page or by a forged form', async () => {
    const managed = await managedSession();
    const { flow, session, vault } = managed;
    await session.call();
    const browser = flow.browser();
    const page = await browser.openAs('alice', managed.asked());
    const forged = await browser.submit(page, { token: 'x'.repeat(43) });
    expect(forged.status).toBe(409);
    expect(await flow.credentials(vault)).toEqual([]);
    expect((await browser.submit(page, {}, `${managed.asked()}/cancel`)).text).toContain('was not connected');
    expect(await flow.credentials(vault)).toEqual([]);
  });
});
