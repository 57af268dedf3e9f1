import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PUBLIC_CLIENT, startAuthorizationServer, type AuthorizationServer } from '#test/mcp/authorization-server.ts';
import { startFlow, WORKSPACE, type Flow } from '#test/functions/connect/flow.ts';

describe('scenario 29: authorization server migration', () => {
  const authorizationServers: string[] = [];
  let flow: Flow;
  let second: AuthorizationServer;
  beforeAll(async () => {
    flow = await startFlow({ server: { authorizationServers } });
    // The server has clients already, so that the one that it registers gets another id.
    second = await startAuthorizationServer({
      clients: ['known-1', 'known-2'].map((id) => ({ ...PUBLIC_CLIENT, id })),
    });
    authorizationServers.push(flow.as.issuer);
  });
  afterAll(async () => {
    await flow.close();
    await second.close();
  });

  it('the service registers again, and sends the second server no client, token or scope of the first', async () => {
    const link = await flow.link('alice', { scopes: ['files:write'] });
    const browser = flow.browser();
    await browser.follow(await browser.submit(await browser.openAs('alice', link.url)));
    const [credential] = await flow.credentials(link.vault);
    if (credential === undefined) throw new Error('nothing was stored');
    const secrets = [...flow.secrets.values.values()].flatMap((values) => Object.values(values));
    const { length } = flow.as.requests;

    authorizationServers.splice(0, 1, second.issuer);
    const moved = await flow.link('alice', { vault: link.vault.id });
    const leaving = await browser.submit(await browser.open(moved.url));
    expect(new URL(browser.next(leaving) ?? '').searchParams.get('scope')).toBe('files:read');
    expect((await browser.follow(leaving)).text).toContain('is connected');

    const place = { workspace: WORKSPACE, vault: link.vault.id, credential: credential.id };
    expect(await flow.world.credentials.find(place)).toMatchObject({
      issuer: second.issuer,
      credential: { auth: { refresh: { token_endpoint: second.tokenEndpoint } } },
    });
    expect(second.requests.some(({ path }) => path === '/register')).toBe(true);
    expect(flow.as.requests.length).toBe(length);
    const toSecond = JSON.stringify(second.requests.map(({ headers, body, query }) => [headers, body, [...query]]));
    for (const secret of secrets) expect(toSecond).not.toContain(secret);
    expect(credential.auth).toMatchObject({ refresh: { client_id: 'registered-1' } });
    expect(toSecond).not.toContain('registered-1');
  });

  it('an approval that was given for the first server is not valid for the second', async () => {
    authorizationServers.splice(0, 1, flow.as.issuer);
    const link = await flow.link();
    const browser = flow.browser();
    const page = await browser.openAs('alice', link.url);
    authorizationServers.splice(0, 1, second.issuer);
    const again = await browser.submit(page);
    expect(again.status).toBe(409);
    expect(again.text).toContain(new URL(second.issuer).host);
    expect(await flow.world.connections.find(link.id)).toMatchObject({ attempt: null });
  });
});
