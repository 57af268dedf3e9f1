import { describe, expect, it } from 'vitest';
import { identify } from '#core/mcp/caller.ts';
import { WORKSPACE } from '#test/functions/connect/flow.ts';
import { managedSession } from '#test/mcp/managed-session.ts';

type Managed = Awaited<ReturnType<typeof managedSession>>;

const ID_JAG = 'urn:ietf:params:oauth:token-type:id-jag';
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';

/** What the MCP server's own authorization server was asked for. */
const admissions = ({ flow }: Managed) => flow.as.tokenRequests.map(({ form }) => Object.fromEntries(form));

/** In a browser, at the link that the session's call has led to. */
async function signIn(managed: Managed): Promise<void> {
  await managed.session.call();
  const browser = managed.flow.browser();
  await browser.follow(await browser.submit(await browser.openAs('alice', managed.asked())));
}

const bearers = ({ flow }: Managed) => flow.fx.requests.map(({ headers }) => headers['authorization'] ?? '');

describe('scenario 30: an organisation consents for its users', () => {
  it('without a browser: the identity provider is asked, then the authorization server, with what the protocol says', async () => {
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

  it('for the authorization server as it calls itself, whatever the setting does with the slash', async () => {
    const managed = await managedSession({
      authorizationServer: { says: (honest) => ({ ...honest, issuer: `${String(honest['issuer'])}/` }) },
    });
    await managed.hold();
    await managed.bearer();
    expect(managed.flow.idp.exchanges).toMatchObject([{ audience: `${managed.flow.as.issuer}/` }]);
  });

  it('and the next call asks nobody again, until the token is about to end', async () => {
    const managed = await managedSession();
    await managed.hold();
    const first = await managed.bearer();
    expect(await managed.bearer()).toBe(first);
    expect(admissions(managed)).toHaveLength(1);
    managed.flow.clock.now += 301_000;
    expect(await managed.bearer()).not.toBe(first);
    expect(admissions(managed)).toHaveLength(2);
  });

  it('but for a session of another user nothing is remembered', async () => {
    const managed = await managedSession();
    await managed.hold();
    expect(await managed.bearer()).toEqual(expect.any(String));
    expect(await managed.bearer('bob')).toMatchObject({ status: 'other_user' });
  });

  it('for as long as the identity is in the vault', async () => {
    const managed = await managedSession();
    const place = await managed.hold();
    expect(await managed.bearer()).toEqual(expect.any(String));
    await managed.flow.world.credentials.archive(place, managed.flow.world.stamp.now());
    expect(await managed.bearer()).toMatchObject({ status: 'needs_reauth' });
  });

  it('a no is not asked for again at once', async () => {
    const managed = await managedSession();
    await managed.hold();
    managed.flow.idp.refuses('access_denied');
    for (let call = 0; call < 3; call += 1) expect(await managed.bearer()).toMatchObject({ status: 'access_denied' });
    expect(managed.flow.idp.exchanges).toHaveLength(1);
    managed.flow.idp.refuses(null);
    managed.flow.clock.now += 31_000;
    expect(await managed.bearer()).toEqual(expect.any(String));
  });

  it.each(['invalid_grant', 'invalid_request'])('nor is %s that a renewed sign-in has met', async (code) => {
    const managed = await managedSession();
    await signIn(managed);
    managed.flow.idp.refuses(code);
    for (let call = 0; call < 3; call += 1) expect(await managed.bearer()).toMatchObject({ status: 'access_denied' });
    expect(managed.flow.idp.exchanges).toHaveLength(2);
  });

  it.each([
    ['access_denied', 'access_denied', 'The organisation of the user does not give access'],
    ['invalid_target', 'access_denied', 'The organisation of the user does not give access'],
    ['invalid_grant', 'access_denied', 'The organisation of the user does not give access'],
    ['invalid_request', 'access_denied', 'The organisation of the user does not give access'],
    ['invalid_client', 'unavailable', 'cannot be had just now'],
    ['temporarily_unavailable', 'unavailable', 'cannot be had just now'],
    ['slow_down', 'unavailable', 'cannot be had just now'],
  ])(
    'what the identity provider refuses with %s is an error of the tool and in the trail, and no link is offered',
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

  it('also what the authorization server refuses', async () => {
    const managed = await managedSession({ authorizationServer: { clients: [] } });
    const { flow, session } = managed;
    await managed.hold();
    await session.call();
    expect(admissions(managed)).toHaveLength(1);
    expect(session.outcomes()).toMatchObject([{ outcome: 'failed', error: 'unavailable' }]);
    expect(flow.fx.requests).toEqual([]);
  });

  it('a credential that the user has for the server beside it is not used in its place', async () => {
    const managed = await managedSession();
    const { flow, session } = managed;
    await managed.hold();
    await managed.hold({ mcp_server_url: flow.fx.url, access_token: 'of-an-earlier-consent' });
    flow.idp.refuses('access_denied');
    await session.call();
    expect(session.results()).toMatchObject([{ is_error: true }]);
    expect(flow.fx.requests).toEqual([]);
  });

  it('nor is it by an agent that spells the server’s URL in another way', async () => {
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

  it('a token that the server echoes is taken out, as any other', async () => {
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

  it('a server that refuses the token is asked once more with a new one, and its user is not asked at all', async () => {
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

  it('an agent that calls the identity provider a server of its own is given no token for it', async () => {
    const { flow, vault, hold } = await managedSession();
    await hold();
    const url = flow.world.enterprise?.identityUrl ?? expect.fail('there is none');
    const asked = identify(flow.world, { workspace: WORKSPACE, vaults: [vault.id] }, url);
    expect(await asked).toMatchObject({ status: 'known', user: 'alice', match: null, home: null });
  });
});

describe('scenario 30: a user who has not signed in yet', () => {
  it('is asked to, once, and what waited goes on', async () => {
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

  it('and whose sign-in runs out while it can be renewed is not asked again', async () => {
    const managed = await managedSession();
    const { flow } = managed;
    await signIn(managed);
    const first = flow.idp.exchanges.length;
    // Past the end of the ID token; the refresh token lives on.
    flow.clock.now += 700_000;
    const token = await managed.bearer();
    expect(token).toEqual(expect.any(String));
    expect(await managed.bearer()).toBe(token);
    const subjects = flow.idp.exchanges.slice(first).map(({ subject_token: subject }) => subject);
    expect(subjects).toHaveLength(1);
    const [held] = [...flow.secrets.values.values()].slice(-1);
    expect(held?.access_token).toBe(subjects[0]);
  });

  it('is asked to sign in again when it cannot be renewed', async () => {
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
    // By the clock of the provider, which is not ours.
    ['invalid_grant', 30],
  ])(
    'is asked to sign in again also when only %s tells that the sign-in is over, of %i s to go',
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

  it('is the only one whose sign-in is kept', async () => {
    const managed = await managedSession();
    const { flow, session, vault } = managed;
    await session.call();
    const mallory = flow.browser();
    expect((await mallory.openAs('mallory', managed.asked())).text).toContain('user_mismatch');
    // In the browser of somebody who has approved, and then signs in as another.
    const alice = flow.browser();
    const leaving = await alice.submit(await alice.openAs('alice', managed.asked()));
    alice.jarOf(flow.idp.login.issuer).clear();
    const other = await alice.openAs('mallory', alice.next(leaving) ?? '');
    expect(other.text).toContain('user_mismatch');
    expect(await flow.credentials(vault)).toEqual([]);
  });

  it.each([
    ['somebody else', {}, 'mallory'],
    ['nobody', { sub: undefined }, 'alice'],
  ])('is asked to when the vault holds the sign-in of %s, which is shown to nobody', async (_whose, claims, user) => {
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
  });

  it('has not agreed by opening the page, nor by a form of somebody else', async () => {
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
