/** A token with too few scopes: from the server's 403 over the user's consent to the same call. */
import { expect, it, onTestFinished } from 'vitest';
import { createRefreshLeases } from '#aws/vault/refresh-leases.dynamodb.ts';
import { createStamp, newToken, pause } from '#aws/stamp.ts';
import { createTokens } from '#core/vault/tokens.ts';
import { startFlow } from '#test/functions/connect/flow.ts';
import { newCredential, outboundHere } from '#test/functions/core/vault/refresh.fixture.ts';
import { fxSession } from '#test/mcp/proxy-sessions.ts';

/**
 * Alice has consented to reading, and her session makes a call that needs writing. `granted` are the scopes that the
 * consent gives.
 */
async function reading(granted: (asked: readonly string[]) => readonly string[] = (asked) => asked) {
  const flow = await startFlow();
  onTestFinished(() => flow.close());
  const { as, fx, world, db } = flow;
  fx.intercept = ({ headers }) => {
    const token = headers['authorization']?.replace(/^Bearer /, '') ?? '';
    const consent = as.grants.accepts(token);
    if (consent !== null) fx.tokens?.set(token, granted(consent.scope.split(' ')));
    return undefined;
  };
  const link = await flow.link();
  const browser = flow.browser();
  await browser.follow(await browser.submit(await browser.openAs('alice', link.url)));
  const refreshing = {
    credentials: world.credentials,
    leases: createRefreshLeases(db.client, db.vaultTable),
    secrets: flow.shelf,
    outbound: outboundHere,
    identityOutbound: outboundHere,
    ...{ stamp: createStamp(), pause, newToken, random: Math.random, journal: world.journal },
    enterprise: null,
  };
  const session = fxSession(fx, {
    tool: 'files_write',
    input: { path: 'a.txt' },
    holdings: [{ vault: link.vault, stored: [] }],
    over: { credentials: world.credentials, tokens: createTokens(refreshing), links: flow.links },
  });
  const grantTypes = () => as.tokenRequests.map(({ form }) => form.get('grant_type'));
  /** The page of the last link. */
  const asked = () => {
    const { error } = session.errors().at(-1) ?? expect.fail('there is no session.error');
    return /open (\S+)$/.exec(error.message)?.[1] ?? expect.fail(error.message);
  };
  return { flow, link, browser, session, grantTypes, asked };
}

it('scenario 24: the user is asked for granted and missing scopes together, and then the same call succeeds', async () => {
  const { flow, link, browser, session, grantTypes, asked } = await reading();
  await session.call();
  expect(grantTypes()).toEqual(['authorization_code']);
  expect(session.errors()).toMatchObject([
    { error: { type: 'mcp_authentication_failed_error', message: expect.stringContaining('files:write') } },
  ]);
  expect((await session.state()).calls).toMatchObject([{ waitsFor: 'confirmation', isSuspended: true }]);
  expect(session.outcomes()).toMatchObject([{ outcome: 'suspended', error: 'scope_required', http_status: 403 }]);

  const page = await browser.open(asked());
  for (const scope of ['files:read', 'files:write']) expect(page.text).toContain(scope);
  const leaving = await browser.submit(page);
  expect(new URL(browser.next(leaving) ?? '').searchParams.get('scope')).toBe('files:read files:write');
  expect((await browser.follow(leaving)).text).toContain('is connected');
  expect(grantTypes()).toEqual(['authorization_code', 'authorization_code']);
  expect(flow.resumed).toMatchObject([{ call: session.open.id }]);

  await session.when({ do: 'resume', call: session.open.id });
  await session.call();
  expect(session.results()).toMatchObject([{ is_error: false, content: [{ text: 'wrote a.txt' }] }]);
  expect(session.outcomes()).toMatchObject([{}, { outcome: 'done', credential_version: 2 }]);
  expect(await flow.credentials(link.vault)).toHaveLength(1);
});

it('scenario 24: a consent that adds no scope is not asked for again, and the call ends', async () => {
  const { flow, browser, session, grantTypes, asked } = await reading(() => ['files:read']);
  await session.call();
  await browser.follow(await browser.submit(await browser.open(asked())));
  await session.when({ do: 'resume', call: session.open.id });
  await session.call();
  expect(session.results()).toMatchObject([
    { is_error: true, content: [{ text: expect.stringMatching(/^scope_required: /) }] },
  ]);
  await session.call();
  expect(flow.fx.calls('files_write')).toHaveLength(2);
  expect(grantTypes()).toEqual(['authorization_code', 'authorization_code']);
  expect(flow.resumed).toHaveLength(1);
});

it.each([
  ['its own authorization server', 'files:read files:write'],
  ['another one', 'files:write'],
])(
  'scenario 24: a token stored by the API has the scopes of its refresh settings, with the token endpoint of %s',
  async (where, scope) => {
    const flow = await startFlow();
    onTestFinished(() => flow.close());
    const { as, fx, world } = flow;
    const link = await flow.link('alice', { scopes: ['files:write'] });
    const elsewhere = 'https://other.example.com/token';
    const refresh = {
      ...{ client_id: 'client-1', token_endpoint: where === 'another one' ? elsewhere : as.tokenEndpoint },
      ...{ token_endpoint_auth: { type: 'none' as const }, resource: null, scope: 'files:read' },
    };
    const auth = { type: 'mcp_oauth' as const, mcp_server_url: fx.url, expires_at: null, refresh };
    const made = newCredential(auth, {}, createStamp().now());
    const credential = { ...made.credential, vault_id: link.vault.id };
    expect(await world.credentials.create({ ...made, credential }, fx.url)).toMatchObject({ status: 'created' });
    const browser = flow.browser();
    const leaving = await browser.submit(await browser.openAs('alice', link.url));
    expect(new URL(browser.next(leaving) ?? '').searchParams.get('scope')).toBe(scope);
  },
);
