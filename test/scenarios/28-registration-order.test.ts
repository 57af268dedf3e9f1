import { afterEach, describe, expect, it } from 'vitest';
import { sha256 } from '#aws/stamp.ts';
import type { AuthorizationServerOptions } from '#test/mcp/authorization-server-script.ts';
import { basicPair, type Client } from '#test/mcp/oauth-client.ts';
import { createConnectApp } from '../../functions/connect/app.ts';
import { createBrowser, type Visit } from '#test/functions/connect/browser.ts';
import { BASE_URL, startFlow, WORKSPACE, type Flow, type FlowOptions } from '#test/functions/connect/flow.ts';

const KNOWN: Client = { id: 'known:%id', auth: 'client_secret_basic', secret: 'p%s:+é', redirectUris: null };
const METADATA_URL = `${BASE_URL}/client-metadata.json`;

describe('scenario 28: registration order', () => {
  let flow: Flow | undefined;
  afterEach(() => flow?.close());

  async function consent(options: FlowOptions) {
    flow = await startFlow(options);
    const link = await flow.link();
    const browser = flow.browser();
    const left = await browser.submit(await browser.openAs('alice', link.url));
    const asked = browser.next(left);
    const clientId = asked === null ? null : new URL(asked).searchParams.get('client_id');
    return {
      flow,
      link,
      browser,
      left,
      clientId,
      registrations: () => paths(flow).filter((path) => path === '/register'),
    };
  }

  const paths = (of: Flow | undefined) => of?.as.requests.map(({ path }) => path) ?? [];

  it('a client that the deployment names is used, with its secret rightly encoded', async () => {
    // The issuer is known only when the server runs, so the deployment's setting is made afterwards.
    const knownClients: NonNullable<FlowOptions['knownClients']> = [];
    const authorizationServer: AuthorizationServerOptions = { clients: [KNOWN], cimd: true };
    flow = await startFlow({ authorizationServer, knownClients });
    knownClients.push({ issuer: flow.as.issuer, clientId: KNOWN.id, secretArn: 'known' });
    flow.secrets.clientSecrets.set('known', KNOWN.secret ?? '');
    const link = await flow.link();
    const browser = flow.browser();
    const done = await browser.follow(await browser.submit(await browser.openAs('alice', link.url)));
    expect(done.text).toContain('is connected');
    const sent = flow.as.tokenRequests[0];
    expect(basicPair(String(sent?.headers['authorization']))).toEqual({ id: KNOWN.id, secret: KNOWN.secret });
    expect(sent?.form.has('client_secret')).toBe(false);
    expect(paths(flow)).not.toContain('/register');
    const [credential] = await flow.credentials(link.vault);
    expect(credential?.auth).toMatchObject({
      refresh: { client_id: KNOWN.id, token_endpoint_auth: { type: 'client_secret_basic' } },
    });
    expect([...flow.secrets.values.values()]).toMatchObject([{ client_secret: KNOWN.secret }]);
  });

  it('a server that names the authorization endpoint of another service gets no user, no client and no token', async () => {
    const authorizationServer: AuthorizationServerOptions = {
      cimd: true,
      says: (honest) => ({ ...honest, authorization_endpoint: 'https://login.victim.example/authorize' }),
    };
    flow = await startFlow({ authorizationServer });
    const link = await flow.link();
    const opened = await flow.browser().openAs('alice', link.url);
    expect(opened.text).toContain('an endpoint that is not at its own address');
    expect(opened.text).not.toContain('<form');
    expect(paths(flow)).not.toContain('/register');
    expect(flow.as.tokenRequests).toEqual([]);
  });

  it('a server whose issuer the deployment names may have endpoints elsewhere, and the page names both', async () => {
    const knownClients: NonNullable<FlowOptions['knownClients']> = [];
    const says = (honest: Record<string, unknown>) => ({
      ...honest,
      token_endpoint: 'https://tokens.example.com/token',
    });
    flow = await startFlow({ authorizationServer: { clients: [KNOWN], says }, knownClients });
    knownClients.push({ issuer: flow.as.issuer, clientId: KNOWN.id, secretArn: 'known' });
    const { text } = await flow.browser().openAs('alice', (await flow.link()).url);
    expect(text).toContain(`127.0.0.1:${flow.as.port}`);
    expect(text).toContain('tokens.example.com');
    expect(text).toContain('<form');
  });

  it('a server that supports metadata documents gets the URL of one, which contains that URL byte for byte', async () => {
    const {
      flow: running,
      clientId,
      registrations,
      browser,
      left,
    } = await consent({ authorizationServer: { cimd: true } });
    expect(clientId).toBe(METADATA_URL);
    const document = await browser.request(METADATA_URL);
    expect(JSON.parse(document.text)).toEqual({
      client_id: METADATA_URL,
      client_name: 'Acme agents',
      redirect_uris: [`${BASE_URL}/callback`],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      application_type: 'web',
    });
    expect((await browser.follow(left)).text).toContain('is connected');
    expect(running.as.tokenRequests[0]?.form.get('client_id')).toBe(METADATA_URL);
    expect(registrations()).toEqual([]);
  });

  it('the service registers as a web application, once', async () => {
    const { flow: running, clientId, registrations, browser, left } = await consent({});
    const body = JSON.parse(running.as.requests.find(({ path }) => path === '/register')?.body ?? '{}') as object;
    const own = `${BASE_URL}/callback/${sha256(running.as.issuer).slice(0, 32)}`;
    expect(body).toMatchObject({ application_type: 'web', redirect_uris: [own] });
    expect(clientId).toBe('registered-1');
    expect((await browser.follow(left)).text).toContain('is connected');
    const second = await running.link();
    const next = browser.next(await browser.submit(await browser.open(second.url)));
    expect(new URL(next ?? '').searchParams.get('client_id')).toBe('registered-1');
    expect(registrations()).toHaveLength(1);
  });

  it('the service keeps the secret of its registration, and uses it', async () => {
    const says = (honest: Record<string, unknown>) => ({
      ...honest,
      token_endpoint_auth_methods_supported: ['client_secret_post'],
    });
    const { flow: running, browser, left } = await consent({ authorizationServer: { says } });
    expect((await browser.follow(left)).text).toContain('is connected');
    const [secret] = running.secrets.clientSecrets.values();
    expect(running.as.tokenRequests[0]?.form.get('client_secret')).toBe(secret);
    expect(running.as.tokenRequests[0]?.headers['authorization']).toBeUndefined();
  });

  it('the service registers again when the authorization server has forgotten the client', async () => {
    const { flow: running, browser, left, link, registrations } = await consent({});
    running.as.answer({ do: 'say', code: 401, body: '{"error":"invalid_client"}' });
    expect((await browser.follow(left)).text).toContain('exchange_failed');
    const again = await browser.submit(await browser.open(link.url));
    expect(new URL(browser.next(again) ?? '').searchParams.get('client_id')).toBe('registered-2');
    expect(registrations()).toHaveLength(2);
    expect((await browser.follow(again)).text).toContain('is connected');
  });

  it('the service registers again once when a server shows its own page for an unknown client and the user never returns', async () => {
    const { flow: running, browser, left, link, registrations } = await consent({});
    const clientOf = (page: Visit) => new URL(browser.next(page) ?? '').searchParams.get('client_id');
    running.as.forgets('registered-1');
    expect((await browser.follow(left)).text).toContain('unknown client_id');
    const again = await browser.submit(await browser.open(link.url));
    expect(clientOf(again)).toBe('registered-2');

    running.as.forgets('registered-2');
    expect((await browser.follow(again)).text).toContain('unknown client_id');
    expect(clientOf(await browser.submit(await browser.open(link.url)))).toBe('registered-2');
    expect(registrations()).toHaveLength(2);

    const other = await running.link();
    expect(clientOf(await browser.submit(await browser.open(other.url)))).toBe('registered-2');
    const repaired = await browser.submit(await browser.open(other.url));
    expect(clientOf(repaired)).toBe('registered-3');
    expect((await browser.follow(repaired)).text).toContain('is connected');
    const [credential] = await running.credentials(other.vault);
    expect(credential?.auth).toMatchObject({ refresh: { client_id: 'registered-3' } });
  });

  it('the service keeps its client when a new registration fails', async () => {
    const { flow: running, link, registrations } = await consent({});
    const trouble = { status: 'trouble', error: 'registration_failed', detail: 'too many' } as const;
    const servers = { ...running.world.servers, register: async () => trouble };
    const app = createConnectApp({ ...running.world, servers });
    const elsewhere = createBrowser({ baseUrl: BASE_URL, fetch: (request) => app.fetch(request) });
    const again = await elsewhere.submit(await elsewhere.openAs('alice', link.url));
    expect((await elsewhere.follow(again)).text).toContain('is connected');
    expect(await running.world.clients.find(WORKSPACE, running.as.issuer)).toMatchObject({ id: 'registered-1' });
    expect(registrations()).toHaveLength(1);
  });

  it.each([['by hand'], ['by its metadata']])('the service never registers a client that is known %s', async (how) => {
    const knownClients: NonNullable<FlowOptions['knownClients']> = [];
    flow = await startFlow({
      authorizationServer: { clients: [KNOWN], cimd: how === 'by its metadata' },
      knownClients,
    });
    if (how === 'by hand') knownClients.push({ issuer: flow.as.issuer, clientId: KNOWN.id, secretArn: null });
    const link = await flow.link();
    const browser = flow.browser();
    await browser.submit(await browser.openAs('alice', link.url));
    await browser.submit(await browser.open(link.url));
    expect(paths(flow)).not.toContain('/register');
  });

  it('the page asks for an administrator when there is no way to a client', async () => {
    const { left, link, flow: running } = await consent({ authorizationServer: { registration: false } });
    expect(left.status).toBe(502);
    expect(left.text).toContain('registration_required');
    expect(left.text).toContain('connect.clients');
    expect(await running.world.connections.find(link.id)).toMatchObject({
      error: 'registration_required',
      attempt: null,
    });
  });

  it('a server that takes metadata documents and does not name itself needs an administrator, or registers the service', async () => {
    const says = ({ authorization_response_iss_parameter_supported: _named, ...rest }: Record<string, unknown>) => rest;
    const registering = await consent({ authorizationServer: { cimd: true, says } });
    expect(registering.clientId).toBe('registered-1');
    await registering.flow.close();
    const alone = await consent({ authorizationServer: { cimd: true, says, registration: false } });
    expect(alone.left.text).toContain('registration_required');
    await alone.flow.close();

    const knownClients: NonNullable<FlowOptions['knownClients']> = [];
    flow = await startFlow({ authorizationServer: { cimd: true, says, registration: false }, knownClients });
    flow.as.decides({ iss: null });
    knownClients.push({ issuer: flow.as.issuer, clientId: METADATA_URL, secretArn: null });
    const browser = flow.browser();
    const left = await browser.submit(await browser.openAs('alice', (await flow.link()).url));
    expect((await browser.follow(left)).text).toContain('is connected');
  });
});
