/** Secrets of vaults in every operation: they are in their store and nowhere else. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { USER_KEY } from '#contract/vaults.ts';
import type { OAuthTokens } from '#contract/secret-stores.ts';
import type { ReplyTool } from '#infra/local/model/script.ts';
import { bash, calling } from '#test/journeys/scripts.ts';
import { ofType, textOf, type Event } from '#test/journeys/service.ts';
import { basicPair } from '#test/mcp/oauth-client.ts';
import { startAuthorizationServer, type AuthorizationServer } from '#test/mcp/authorization-server.ts';
import { startFx, type Fx } from '#test/mcp/fx.ts';
import { startMcpService, type McpService } from '#test/mcp/mcp-service.ts';
import { QUOTED_IN, quoteInHttp, QUOTING_TOOL } from '#test/mcp/quoting.ts';
import { placesWith } from '#test/mcp/traces.ts';
import { sample } from '#test/property-runs.ts';

/** A text beside the secrets that is no secret. A search that does not find it would not find a secret either. */
const MARKER = 'marker5d1f';
const PLACES = sample(2, QUOTED_IN);
const SERVERS = { bearer: `${MARKER}-bearer`, oauth: `${MARKER}-oauth` };

describe.each(sample<OAuthTokens>(1, ['secrets-manager', 'dynamodb-kms']))(
  'canary secrets with OAuth tokens in %s',
  (oauthTokens) => {
    const canaries = new Map<string, string>();
    const newCanary = (kind: string): string => {
      const canary = `cnry-${kind}-${randomBytes(12).toString('hex')}`;
      canaries.set(canary, kind);
      return canary;
    };
    /** Every response of the API. */
    const told: string[] = [];
    const streamed: Event[] = [];
    const previewed: string[] = [];
    let service: McpService;
    let as: AuthorizationServer;
    let oauthFx: Fx;
    let session: string;
    let clientSecret: string;

    beforeAll(async () => {
      clientSecret = newCanary('clientsecret');
      const client = { id: 'client-1', auth: 'client_secret_basic' as const, secret: clientSecret, redirectUris: null };
      as = await startAuthorizationServer({ clients: [client], newToken: newCanary });
      oauthFx = await startFx({ tokens: {} });
      // The template that the service tests share has the first kind.
      const props = oauthTokens === 'secrets-manager' ? {} : { oauthTokens };
      service = await startMcpService({ fx: { tokens: {} }, props });
      for (const fx of [service.fx, oauthFx]) fx.tools.set('quote', QUOTING_TOOL);
      service.fx.intercept = quoteInHttp;
      oauthFx.intercept = (request) => {
        const token = request.headers['authorization']?.replace(/^Bearer /, '') ?? '';
        if (as.grants.accepts(token) === null) oauthFx.tokens?.delete(token);
        else oauthFx.tokens?.set(token, []);
        return as.grants.accepts(token) === null ? undefined : quoteInHttp(request);
      };
      const { vault, oauth } = await keepSecrets();
      await sayThemInWrongPlaces(vault);
      await useThem(vault);
      await validate(vault, oauth);
      await ask('GET', '/v1/x/audit?limit=500');
      await ask('GET', `/v1/sessions/${session}/events`);
      await ask('GET', '/v1/x/mcp_servers');
    });
    afterAll(async () => {
      await service.close();
      await Promise.all([as.close(), oauthFx.close()]);
    });

    async function ask(method: string, path: string, body?: unknown) {
      const response = await fetch(`${service.runtime.baseUrl}${path}`, {
        method,
        headers: { authorization: `Bearer ${service.runtime.apiKey}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      told.push(`${JSON.stringify([...response.headers])} ${text}`);
      return { status: response.status, text, id: String((JSON.parse(text) as { id?: unknown }).id) };
    }

    /** Creates a credential of each type, changes each once, and archives one. */
    async function keepSecrets() {
      const about = { display_name: MARKER, metadata: { [USER_KEY]: MARKER } };
      const { id: vault } = await ask('POST', '/v1/vaults', about);
      const credentials = `/v1/vaults/${vault}/credentials`;
      const issued = as.consented();
      const bearerToken = newCanary('bearer');
      service.fx.tokens?.set(bearerToken, []);
      const bearer = { type: 'static_bearer', mcp_server_url: service.fx.url, token: newCanary('bearer') };
      const oauth = {
        type: 'mcp_oauth',
        mcp_server_url: oauthFx.url,
        access_token: newCanary('access'),
        expires_at: new Date(Date.now() + 3_600_000).toISOString(),
        refresh: {
          client_id: 'client-1',
          token_endpoint: as.tokenEndpoint,
          refresh_token: newCanary('refresh'),
          token_endpoint_auth: { type: 'client_secret_basic', client_secret: newCanary('clientsecret') },
        },
      };
      const made = [
        await ask('POST', credentials, { auth: bearer, ...about }),
        await ask('POST', credentials, { auth: oauth, ...about }),
      ];
      const [first, second] = made.map(({ id }) => id);
      await ask('POST', `${credentials}/${first}`, { auth: { type: 'static_bearer', token: bearerToken } });
      const { access_token, refresh_token } = issued;
      const endpoint = { type: 'client_secret_basic', client_secret: clientSecret };
      const refresh = { refresh_token, token_endpoint_auth: endpoint };
      await ask('POST', `${credentials}/${second}`, { auth: { type: 'mcp_oauth', access_token, refresh } });
      await keepVariable(about);
      const gone = { ...bearer, mcp_server_url: 'https://gone.example.com/mcp', token: newCanary('bearer') };
      const { id: archived } = await ask('POST', credentials, { auth: gone });
      await ask('POST', `${credentials}/${archived}/archive`);
      for (const path of ['', `/${first}`, `/${second}`, `/${archived}`]) await ask('GET', `${credentials}${path}`);
      return { vault, oauth: String(second) };
    }

    /** Creates the environment variable in a vault of its own. Sessions that use one are in `egress-attacks.test.ts`. */
    async function keepVariable(about: object): Promise<void> {
      const { id: vault } = await ask('POST', '/v1/vaults', about);
      const variable = { type: 'environment_variable', secret_name: 'API_KEY', networking: { type: 'unrestricted' } };
      const secret_value = newCanary('variable');
      const { id } = await ask('POST', `/v1/vaults/${vault}/credentials`, { auth: { ...variable, secret_value } });
      const path = `/v1/vaults/${vault}/credentials/${id}`;
      await ask('POST', path, { auth: { type: 'environment_variable', secret_value: newCanary('variable') } });
      await ask('GET', path);
      await ask('GET', '/v1/vaults');
    }

    async function sayThemInWrongPlaces(vault: string): Promise<void> {
      const path = `/v1/vaults/${vault}/credentials`;
      const canary = () => newCanary('misplaced');
      const server = { mcp_server_url: 'https://wrong.example.com/mcp' };
      const wrong: readonly unknown[] = [
        { auth: { type: canary(), ...server, token: canary() } },
        { auth: { type: 'static_bearer', ...server, token: { [canary()]: canary() } } },
        { auth: { type: 'static_bearer', ...server, token: canary(), secret: canary() } },
        { auth: { type: 'static_bearer', ...server, token: `${canary()}\n` } },
        { auth: { type: 'static_bearer', mcp_server_url: canary(), token: canary() } },
        {
          auth: { type: 'static_bearer', mcp_server_url: `https://me:${canary()}@wrong.example.com/`, token: canary() },
        },
        { auth: { type: 'static_bearer', mcp_server_url: `http://10.0.0.1/${canary()}`, token: canary() } },
        { auth: { type: 'mcp_oauth', ...server, access_token: [canary()], expires_at: canary() } },
        { auth: { type: 'mcp_oauth', ...server, access_token: canary(), refresh: canary() } },
        { auth: { type: 'environment_variable', secret_name: canary(), secret_value: canary(), networking: canary() } },
        { auth: canary(), token: canary() },
        `{"auth": {"type": "static_bearer", "token": "${canary()}`,
      ];
      for (const body of wrong) expect((await ask('POST', path, body)).status).toBe(400);
      expect((await ask('POST', `/v1/vaults/vlt_${canary()}/credentials`, { auth: {} })).status).toBeGreaterThanOrEqual(
        400,
      );
      expect((await ask('GET', `${path}/vcrd_${canary()}?token=${canary()}`)).status).toBeGreaterThanOrEqual(400);
    }

    /**
     * Makes calls that succeed, fail and break off, with tokens that must be refreshed, and a search in the sandbox.
     */
    async function useThem(vault: string): Promise<void> {
      session = await newSession(vault);
      const mcp = (server: keyof typeof SERVERS, tool: string, input: Readonly<Record<string, unknown>> = {}) => ({
        name: `mcp__${SERVERS[server]}__${tool}`,
        input,
      });
      const quotes = PLACES.map((place) => mcp('bearer', 'quote', { in: place }));
      await run(mcp('bearer', 'echo_headers'), mcp('bearer', 'quote', { in: `${MARKER} input` }), ...quotes);
      await run(mcp('bearer', 'quote', { in: 'large text' }));
      await run(mcp('oauth', 'echo_headers'));
      for (const token of oauthFx.tokens?.keys() ?? []) as.grants.expire(token);
      await run(...PLACES.map((place) => mcp('oauth', 'quote', { in: place })));
      await run(bash(SEARCH), bash(`echo ${MARKER}`));
      const died = service.runtime.faults.killDuring({
        ...{ function: 'mcp-proxy', of: 'dynamodb:UpdateItem', call: 1, phase: 'after' },
      });
      await run(mcp('bearer', 'echo_headers'));
      await died;
      // Each of these waits for a person, and no person comes.
      for (const place of ['elicitation', 'state']) {
        session = await newSession(vault);
        await run(mcp('oauth', 'quote', { in: place }));
      }
    }

    async function newSession(vault: string): Promise<string> {
      const allowed = { default_config: { permission_policy: { type: 'always_allow' } } };
      const urls = { bearer: service.fx.url, oauth: oauthFx.url };
      const servers = Object.entries(SERVERS).map(([which, name]) => ({
        ...{ type: 'url', name, url: urls[which as keyof typeof SERVERS] },
      }));
      const toolsets = servers.map(({ name }) => ({ type: 'mcp_toolset', mcp_server_name: name, ...allowed }));
      const tools = [{ type: 'agent_toolset_20260401' }, ...toolsets];
      const agent = await ask('POST', '/v1/agents', {
        name: MARKER,
        model: 'claude-opus-5',
        mcp_servers: servers,
        tools,
      });
      const { id: environment } = await ask('POST', '/v1/environments', { name: MARKER });
      const { id } = await ask('POST', '/v1/sessions', {
        agent: agent.id,
        environment_id: environment,
        vault_ids: [vault],
      });
      return id;
    }

    /** Runs a turn and reads its previews. */
    async function run(...tools: readonly ReplyTool[]): Promise<void> {
      const reply = calling(...tools);
      // The answer is slow enough that previews of it are sent.
      service.standIn.script(async (request, index) => {
        const { text = '', ...rest } = await reply(request, index);
        return { ...rest, text: [`${MARKER}: `, ...[text].flat()], chunkDelayMs: 100 };
      });
      const stream = await service.client.beta.sessions.events.stream(session, { event_deltas: ['agent.message'] });
      await service.send(session, MARKER);
      for await (const event of stream) {
        if (event.type === 'event_start' || event.type === 'event_delta') previewed.push(JSON.stringify(event));
        else streamed.push(event);
        if (event.type === 'session.status_idle') break;
      }
    }

    /** Validates a valid token, an expired one, and one for which the authorization server quotes the request. */
    async function validate(vault: string, credential: string): Promise<void> {
      const path = `/v1/vaults/${vault}/credentials/${credential}/mcp_oauth_validate`;
      expect((await ask('POST', path)).text).toContain('"status":"valid"');
      const expire = () => {
        for (const token of oauthFx.tokens?.keys() ?? []) as.grants.expire(token);
      };
      expire();
      expect((await ask('POST', path)).text).toContain('"status":"succeeded"');
      expire();
      const quoted = ['access', 'refresh'].map((kind) =>
        [...canaries.keys()].findLast((one) => canaries.get(one) === kind),
      );
      const said = [...quoted, clientSecret].join(' and ');
      as.answer({ do: 'say', code: 400, body: JSON.stringify({ error: 'invalid_grant', error_description: said }) });
      expect((await ask('POST', path)).text).toContain('"status":"failed"');
    }

    const secrets = () => [...canaries.keys()];
    const found = (places: Iterable<readonly [string, string]>) => placesWith(secrets(), places);
    const kindsIn = (text: string) => secrets().flatMap((one) => (text.includes(one) ? [canaries.get(one)] : []));

    it('reached the servers that they are for, and these searches would find them', () => {
      const sent = JSON.stringify([service.fx.requests, oauthFx.requests, as.requests]);
      expect(new Set(kindsIn(sent))).toEqual(new Set(['access', 'bearer', 'refresh']));
      const basic = as.tokenRequests.map(({ headers }) => basicPair(String(headers['authorization']))?.secret);
      expect(new Set(basic)).toEqual(new Set([clientSecret]));
      // Each secret was sent, came back in every encoding, and was redacted.
      const redacted = JSON.stringify(streamed).split('[redacted:vcrd_').length - 1;
      expect(redacted).toBeGreaterThan(2 * PLACES.length);
    });

    it('are in the store of secrets that they belong in', () => {
      const stored = kindsIn([...service.secretFiles().values()].join());
      const inDynamoDb = new Set(['access', 'refresh', 'clientsecret']);
      const kinds = oauthTokens === 'secrets-manager' ? ['bearer', 'variable', ...inDynamoDb] : ['bearer', 'variable'];
      expect(new Set(stored)).toEqual(new Set(kinds));
    });

    it('are in no response of the API', () => {
      expect(told.length).toBeGreaterThan(40);
      for (const marked of ['vault_credential', '"kind":"intent"', 'secret_echo', 'is not valid JSON', MARKER]) {
        expect(told.join('\n')).toContain(marked);
      }
      expect(found([['answers', told.join('\n')]])).toEqual([]);
    });

    it('are in no event, no preview and no model request', () => {
      const places = [
        ['events', JSON.stringify(streamed)],
        ['previews', previewed.join('\n')],
        ['model', JSON.stringify(service.standIn.requests)],
      ] as const;
      expect(places.filter(([, text]) => !text.includes(MARKER))).toEqual([]);
      expect(found(places)).toEqual([]);
    });

    it('are in no row of any table, whole or in parts', async () => {
      const rows = await service.rows();
      const marked = [...rows].filter(([, text]) => text.includes(MARKER)).map(([name]) => name);
      expect(marked.length).toBeGreaterThanOrEqual(4);
      expect(found(rows)).toEqual([]);
    });

    it('are in no file: no log line, no object of S3, no page of the tables’ engine', () => {
      const files = service.written();
      const marked = [...files].filter(([, text]) => text.includes(MARKER)).map(([name]) => name);
      for (const name of ['dynamodb.sqlite', 'logs/mcp-proxy.log']) expect(marked).toContain(name);
      expect(marked.some((name) => name.startsWith('s3/'))).toBe(true);
      expect([...files.keys()]).toEqual(
        expect.arrayContaining(['logs/api.log', 'logs/harness.log', 'executions.jsonl']),
      );
      expect(found(files)).toEqual([]);
    });

    it('are in no input or output of the state machine', () => {
      expect(service.executed()).toContain(session);
      expect(found([['executions', service.executed()]])).toEqual([]);
    });

    it.skipIf(!inject('hasBubblewrap'))('are nowhere in a sandbox that searches for them', () => {
      const results = ofType(streamed, 'agent.tool_result').map(textOf);
      expect(results.toSorted()).toEqual(['0\n0\nsearched', MARKER]);
    });

    it('were sent at most once in a call with a proxy that died, and the session continued', () => {
      const unknown = ofType(streamed, 'agent.mcp_tool_result')
        .map(textOf)
        .filter((text) => text.startsWith('outcome_'));
      expect(unknown).toHaveLength(1);
      expect(service.fx.calls('echo_headers')).toHaveLength(1);
    });
  },
);

/** Searches everything that the sandbox's user can read. The pattern does not find itself. */
const SEARCH = `env | grep -c '[c]nry-'; cat /proc/*/environ /proc/*/cmdline 2>/dev/null | grep -ac '[c]nry-'; \
timeout 20 grep -rsal '[c]nry-' /etc /home /opt /root /run /srv /tmp /var /workspace "$HOME" "$PWD"; echo searched`;
