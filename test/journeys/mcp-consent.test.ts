/**
 * Tools of a server whose users have to consent: the session waits for its user and continues by itself, also when the
 * proxy dies while it suspends a call, or the connect function while it resumes one. Tokens end while many calls need
 * them, and a proxy dies with the only valid one.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createCredentialRecords } from '#aws/vault/credentials.dynamodb.ts';
import { CredentialId, VaultId, WorkspaceId } from '#contract/ids.ts';
import type { ReplyTool } from '#infra/local/model/script.ts';
import { auditOf, beginChains, told, verifyAudit } from '#test/faults/audit.ts';
import { expectSound } from '#test/faults/stored-log.ts';
import { sweepNow } from '#test/faults/sweep.ts';
import { browserOf } from '#test/functions/connect/http-browser.ts';
import { follow, type Follower } from '#test/journeys/follower.ts';
import { calling, echo, lastTexts } from '#test/journeys/scripts.ts';
import { ofType, textOf, types } from '#test/journeys/service.ts';
import { begin, cast, wait } from '#test/journeys/teams.ts';
import { confirmation, linksIn, startConsentService, type ConsentService } from '#test/mcp/consent-service.ts';
import { mcp } from '#test/mcp/mcp-service.ts';
import type { Script } from '#test/model/stand-in.ts';
import { propertyRuns, sample } from '#test/property-runs.ts';
import { engineClient } from '#test/runtime/engine-client.ts';

const SUM = mcp('sum', { a: 1, b: 2 });

/** Each call needs an instance of the proxy. */
const CALLS = propertyRuns(20);

const STORES = [
  { oauthTokens: 'secrets-manager', firstWrite: 'secretsmanager:PutSecretValue' },
  { oauthTokens: 'dynamodb-kms', firstWrite: 'kms:GenerateDataKey' },
] as const;

/** The calls to AWS, in order, of a call that is suspended, when its tools are pinned. */
const AUDIT_INTENT = { of: 'dynamodb:PutItem', call: 1 };
const MARK_STARTED = { of: 'dynamodb:UpdateItem', call: 1 };
const LINK = { of: 'dynamodb:TransactWriteItems', call: 1 };
const MARK_SUSPENDED = { of: 'dynamodb:UpdateItem', call: 2 };
const LOG_SUSPENDED = { of: 'dynamodb:PutItem', call: 2 };
const AUDIT_OUTCOME = { of: 'dynamodb:PutItem', call: 3 };

/** A consent does not depend on where the tokens are stored: one store is enough for the cases about it. */
const [OF_CONSENTS] = sample(1, STORES);

describe.each(sample(1, STORES))('with OAuth tokens in $oauthTokens,', ({ oauthTokens, firstWrite }) => {
  let service: ConsentService;
  beforeAll(async () => {
    service = await startConsentService({ props: { oauthTokens } });
  });
  afterAll(async () => service.close());

  describe.runIf(oauthTokens === OF_CONSENTS?.oauthTokens)('an MCP call that finds no credential of its user', () => {
    async function waiting(tools: readonly ReplyTool[] = [SUM]) {
      service.standIn.script(calling(...tools));
      const vault = await service.vaultOf('alice');
      const session = await service.mcpSession({ vaults: [vault] });
      const follower = await follow(service, session);
      await service.send(session, 'Add one and two.');
      const { stop_reason: stop } = await follower.idle();
      const seen = follower.since();
      const [link = ''] = linksIn(seen);
      return { vault, session, follower, stop, seen, link, uses: ofType(seen, 'agent.mcp_tool_use') };
    }

    const say = (session: string, ...events: readonly ReturnType<typeof confirmation>[]) =>
      service.client.beta.sessions.events.send(session, { events: [...events] });

    async function ended(follower: Follower) {
      expect(await follower.idle()).toMatchObject({ stop_reason: { type: 'end_turn' } });
      follower.leave();
      return follower.since();
    }

    it('waits with a link that only the client gets, and is made by itself once the user has consented', async () => {
      const { session, follower, stop, seen, link, uses, vault } = await waiting();
      const [use] = uses;
      expect(uses).toMatchObject([{ name: 'sum', evaluated_permission: 'allow' }]);
      expect(stop).toEqual({ type: 'requires_action', event_ids: [use?.id] });
      expect(ofType(seen, 'session.error')).toMatchObject([
        { error: { type: 'mcp_authentication_failed_error', mcp_server_name: 'fx' } },
      ]);
      expect(link).toContain(`${service.runtime.baseUrl}/connect/conn_`);
      expect(await service.extension('GET', `/v1/x/connect?session_id=${session}`)).toMatchObject({
        status: 200,
        body: { data: [{ status: 'pending', url: link, user_id: 'alice', vault_id: vault }] },
      });

      expect((await service.consent('alice', link)).text).toContain('is connected');
      const after = await ended(follower);
      expect(types(after)).not.toContain('session.error');
      expect(ofType(after, 'agent.mcp_tool_result')).toMatchObject([
        { mcp_tool_use_id: use?.id, is_error: false, content: [{ type: 'text', text: '3' }] },
      ]);
      expect(ofType(after, 'agent.message').map(textOf)).toEqual(['Results: 3']);
      const admitted = service.admitted('sum');
      expect(admitted).toHaveLength(1);
      expect(admitted[0]?.headers['authorization']).toMatch(/^Bearer access-/);
      const open = await service.extension('GET', `/v1/x/connect?session_id=${session}`);
      expect(open.body).toMatchObject({ data: [] });
      expect(JSON.stringify(service.standIn.requests)).not.toContain('/connect/');
      expect(JSON.stringify(service.standIn.requests)).not.toContain('access-');
    });

    it('of a child thread is on the session’s stream, with the link, and goes on in its thread', async () => {
      const { agents, environments, sessions } = service.client.beta;
      const server = { type: 'url' as const, name: 'fx', url: service.fx.url };
      const policy = { type: 'always_allow' as const };
      const tools = [
        { type: 'mcp_toolset' as const, mcp_server_name: 'fx', default_config: { permission_policy: policy } },
      ];
      const agent = { name: 'Ada', model: 'claude-opus-5', system: 'You are Ada.', mcp_servers: [server], tools };
      const { id: ada } = await agents.create(agent);
      const multiagent = { type: 'coordinator' as const, agents: [ada] };
      const lead = await agents.create({ name: 'Lead', model: 'claude-opus-5', system: 'You are Lead.', multiagent });
      const environment = await environments.create({ name: 'lab' });
      const vault_ids = [await service.vaultOf('alice')];
      const { id } = await sessions.create({ agent: lead.id, environment_id: environment.id, vault_ids });
      const follower = await follow(service, id);
      service.standIn.script(cast({ Lead: [{ tools: [begin('Ada', 'Add.'), wait] }], Ada: [{ tools: [SUM] }] }).script);
      await service.send(id, 'Add one and two.');
      const { stop_reason: stop } = await follower.idle();
      const seen = follower.since();
      const [use] = ofType(seen, 'agent.mcp_tool_use');
      const [link = ''] = linksIn(seen);
      const [created] = ofType(seen, 'session.thread_created');
      expect(use).toMatchObject({ name: 'sum', input: { a: 1, b: 2 }, session_thread_id: created?.session_thread_id });
      expect(stop).toEqual({ type: 'requires_action', event_ids: [use?.id] });
      expect(types(seen).filter((type) => /mcp_tool_use|session.error/.test(type))).toEqual([
        'agent.mcp_tool_use',
        'session.error',
      ]);
      await service.consent('alice', link);
      const after = await ended(follower);
      expect(ofType(after, 'agent.thread_message_received')).toHaveLength(1);
      expect(types(after)).not.toContain('session.error');
    });

    it('ends with an error when the client denies it, and nothing was sent to the server', async () => {
      const before = service.admitted('sum').length;
      const { session, follower, uses } = await waiting();
      await say(session, confirmation(uses[0]?.id ?? '', 'deny', 'not today'));
      const after = await ended(follower);
      expect(ofType(after, 'agent.mcp_tool_result')).toMatchObject([{ is_error: true }]);
      expect(ofType(after, 'agent.message').map(textOf).join()).toContain('not today');
      expect(service.admitted('sum')).toHaveLength(before);
      expect((await service.extension('GET', `/v1/x/connect?session_id=${session}`)).body).toMatchObject({ data: [] });
    });

    it('ends with all calls that wait for the link when its user cancels on the page, and the session continues by itself', async () => {
      const before = service.admitted('sum').length;
      const { vault, session, follower, link, uses } = await waiting([SUM, mcp('sum', { a: 3, b: 4 })]);
      const browser = browserOf(service.runtime);
      const page = await browser.submit(await browser.openAs('alice', link), {}, `${link}/cancel`);
      expect(page.text).toContain('was not connected');
      for (;;) if ((await follower.idle()).stop_reason.type === 'end_turn') break;
      const after = follower.since();
      const said = 'declined: The user declined to connect this MCP server, so the call was not made.';
      const content = [{ type: 'text', text: expect.stringContaining(said) }];
      const results = ofType(after, 'agent.mcp_tool_result');
      expect(new Set(results.map((result) => result.mcp_tool_use_id))).toEqual(new Set(uses.map(({ id }) => id)));
      expect(results).toMatchObject(uses.map(() => ({ is_error: true, content })));
      expect(ofType(after, 'agent.message').map(textOf).join()).toContain(said);
      expect(service.admitted('sum')).toHaveLength(before);
      const { body } = await service.extension('GET', '/v1/x/audit?kind=administration&user=alice');
      expect(JSON.stringify(body)).toContain(`"action":"connect.cancelled","vault":"${vault}"`);

      service.standIn.script(calling(SUM));
      await service.send(session, 'Once more.');
      expect((await follower.idle()).stop_reason.type).toBe('requires_action');
      expect(linksIn(follower.since()).at(-1)).not.toBe(link);
      follower.leave();
    });

    it('is offered the link again when the client allows it before a consent, and is made after the consent', async () => {
      const before = service.admitted('sum').length;
      const { session, follower, uses, link } = await waiting();
      await say(session, confirmation(uses[0]?.id ?? '', 'allow'));
      expect((await follower.idle()).stop_reason).toEqual({ type: 'requires_action', event_ids: [uses[0]?.id] });
      expect(linksIn(follower.since())).toEqual([link]);
      await service.consent('alice', link);
      expect(ofType(await ended(follower), 'agent.message').map(textOf)).toEqual(['Results: 3']);
      expect(service.admitted('sum')).toHaveLength(before + 1);
    });

    it('waits with the other calls of its answer for one consent, and each is made once', async () => {
      const before = service.admitted('sum').length;
      const { follower, stop, link, uses } = await waiting([
        SUM,
        mcp('sum', { a: 3, b: 4 }),
        mcp('sum', { a: 5, b: 6 }),
      ]);
      expect(stop).toEqual({ type: 'requires_action', event_ids: uses.map(({ id }) => id) });
      await service.consent('alice', link);
      // Each resumed call may start a run.
      for (;;) if ((await follower.idle()).stop_reason.type === 'end_turn') break;
      expect(ofType(follower.since(), 'agent.message').map(textOf)).toEqual(['Results: 3 | 7 | 11']);
      expect(service.admitted('sum')).toHaveLength(before + 3);
      follower.leave();
    });

    it('scenario 24: waits for a wider consent when the first one does not suffice, and is made with both', async () => {
      const { vault, session, follower, link } = await waiting();
      await service.consent('alice', link);
      await ended(follower);
      const tokens = service.as.tokenRequests.length;
      service.standIn.script(calling(mcp('files_write', { path: 'a.txt' })));
      const again = await follow(service, session);
      await service.send(session, 'Write it.');
      expect((await again.idle()).stop_reason).toMatchObject({ type: 'requires_action' });
      expect(service.as.tokenRequests).toHaveLength(tokens);
      const [wider = ''] = linksIn(again.since());
      expect(wider).not.toBe(link);
      const [use] = ofType(again.seen, 'agent.mcp_tool_use');
      await say(session, confirmation(use?.id ?? '', 'allow'));
      expect((await again.idle()).stop_reason).toMatchObject({ type: 'requires_action' });
      expect(linksIn(again.since())).toEqual([wider]);
      await service.consent('alice', wider);
      expect(ofType(await ended(again), 'agent.message').map(textOf)).toEqual(['Results: wrote a.txt']);
      const asked = service.as.requests.findLast(({ path }) => path.endsWith('/authorize'));
      expect(asked?.query.get('scope')?.split(' ').toSorted()).toEqual(['files:read', 'files:write']);
      expect((await service.client.beta.vaults.credentials.list(vault)).data).toHaveLength(1);
    });

    it('is closed when its user interrupts, also when a consent comes later', async () => {
      const before = service.admitted('sum').length;
      const { session, follower, link } = await waiting();
      await service.client.beta.sessions.events.send(session, { events: [{ type: 'user.interrupt' }] });
      expect(ofType(await ended(follower), 'agent.mcp_tool_result')).toMatchObject([{ is_error: true }]);
      expect((await service.consent('alice', link)).text).toContain('is connected');
      await service.runtime.aws.stepFunctions.idle();
      expect((await service.events(session)).at(-1)?.type).toBe('session.status_idle');
      expect(service.admitted('sum')).toHaveLength(before);
    });

    it('is possible in the next run when even the listing needs the credential, with the link that the failed listing left', async () => {
      service.closed = true;
      service.standIn.script(echo);
      const session = await service.mcpSession({ vaults: [await service.vaultOf('bob')] });
      const first = await service.converse(session, 'Hello.');
      const [link = ''] = linksIn(first);
      expect(first.at(-1)).toMatchObject({ type: 'session.status_idle', stop_reason: { type: 'end_turn' } });
      const open = async () => (await service.extension('GET', `/v1/x/connect?session_id=${session}`)).body;
      expect(await open()).toMatchObject({ data: [{ status: 'pending', url: link, user_id: 'bob' }] });
      expect((await service.consent('bob', link)).text).toContain('It is used from your next message on.');
      expect(await open()).toMatchObject({ data: [] });
      service.standIn.script(calling(SUM));
      const second = await service.converse(session, 'Add one and two.');
      expect(ofType(second, 'agent.message').map(textOf).at(-1)).toBe('Results: 3');
      expect(JSON.stringify(service.standIn.requests)).not.toContain('/connect/');
      service.closed = false;
    });

    it('is possible in the same run when the user consents during it, with the link of the runs before', async () => {
      service.closed = true;
      service.standIn.script(echo);
      const session = await service.mcpSession({ vaults: [await service.vaultOf('carol')] });
      const [link = ''] = linksIn(await service.converse(session, 'Hello.'));
      const offered: boolean[] = [];
      service.standIn.script(async (request) => {
        offered.push(JSON.stringify(request.tools).includes(SUM.name));
        if (offered.length === 1) await service.consent('carol', link);
        return offered.length < 3
          ? { text: 'I look.', tools: [SUM] }
          : { text: `Results: ${lastTexts(request).join()}` };
      });
      const seen = await service.converse(session, 'Add one and two.');
      expect(linksIn(seen)).toEqual([link]);
      expect(offered).toEqual([false, true, true]);
      expect(ofType(seen, 'agent.message').map(textOf).at(-1)).toBe('Results: 3');
      expect((await service.extension('GET', `/v1/x/connect?session_id=${session}`)).body).toMatchObject({ data: [] });
      service.closed = false;
    });
  });

  describe.runIf(oauthTokens === OF_CONSENTS?.oauthTokens)('an MCP call that waits for its user', () => {
    beforeAll(async () => {
      service.standIn.script(calling(mcp('refund', { amount: 5 })));
      await beginChains(service);
      await service.converse(await service.mcpSession({ vaults: [] }), 'pins the tools');
    });
    afterEach(() => service.runtime.faults.disarm());

    async function begin() {
      await service.runtime.aws.stepFunctions.idle();
      const session = await service.mcpSession({ vaults: [await service.vaultOf('alice')] });
      const before = service.admitted('refund').length;
      return {
        session,
        follower: await follow(service, session),
        sent: () => service.admitted('refund').length - before,
      };
    }

    it.each(
      sample(3, [
        ['before', 'the intent is on record', AUDIT_INTENT],
        ['after', 'the intent is on record', AUDIT_INTENT],
        ['before', 'the call is marked', MARK_STARTED],
        ['after', 'it is marked as one that waits', MARK_SUSPENDED],
        ['before', 'the log says that it waits', LOG_SUSPENDED],
        ['after', 'the log says that it waits', LOG_SUSPENDED],
        ['before', 'the outcome is on record', AUDIT_OUTCOME],
        ['after', 'the outcome is on record', AUDIT_OUTCOME],
      ] as const),
    )('waits for one consent when the proxy is killed %s %s', async (phase, _what, effect) => {
      const { session, follower, sent } = await begin();
      const killed = service.runtime.faults.killDuring({ function: 'mcp-proxy', ...effect, phase });
      await service.send(session, 'refund');
      await killed;
      expect(await follower.idle()).toMatchObject({ stop_reason: { type: 'requires_action' } });
      const links = linksIn(follower.since());
      expect(links).toHaveLength(1);
      await service.consent('alice', links[0] ?? '');
      expect(await follower.idle()).toMatchObject({ stop_reason: { type: 'end_turn' } });
      expect(ofType(follower.since(), 'agent.message').map(textOf)).toEqual(['Results: refunded 5']);
      expect(sent()).toBe(1);
      await service.runtime.aws.stepFunctions.idle();
      await expectSound(service, session);
      const audited = told(await auditOf(service, session));
      expect(audited.slice(-2)).toEqual(['intent', 'done']);
      expect(audited.filter((what) => what === 'suspended')).toHaveLength(1);
      follower.leave();
    });

    it.each(
      sample(1, [
        ['after', 'the call is marked', MARK_STARTED],
        ['before', 'there is a link', LINK],
        ['after', 'there is a link', LINK],
        ['before', 'it is marked as one that waits', MARK_SUSPENDED],
      ] as const),
    )('ends without a link for its user when the proxy is killed %s %s', async (phase, _what, effect) => {
      const { session, follower, sent } = await begin();
      const killed = service.runtime.faults.killDuring({ function: 'mcp-proxy', ...effect, phase });
      await service.send(session, 'refund');
      await killed;
      expect(await follower.idle()).toMatchObject({ stop_reason: { type: 'end_turn' } });
      const events = await expectSound(service, session);
      expect(textOf(ofType(events, 'agent.mcp_tool_result')[0])).toContain('may or may not have had an effect');
      expect(sent()).toBe(0);
      const open = await service.extension('GET', `/v1/x/connect?session_id=${session}`);
      expect(open.body).toMatchObject({ data: [] });
      expect(told(await auditOf(service, session)).at(-1)).toBe('unknown');
      follower.leave();
    });

    it.each(
      sample(1, [
        ['the credential is stored', 'after', { of: 'dynamodb:TransactWriteItems', call: 1 }],
        ['the run is started', 'before', { of: 'states:StartExecution', call: 1 }],
        ['the run is started', 'after', { of: 'states:StartExecution', call: 1 }],
      ] as const),
    )(
      'is made although the connect function was killed when %s (%s), once a client or sweep reads the connection',
      async (_what, phase, effect) => {
        const { session, follower, sent } = await begin();
        await service.send(session, 'refund');
        await follower.idle();
        const [link = ''] = linksIn(follower.since());
        const killed = service.runtime.faults.killDuring({ function: 'connect', ...effect, phase });
        await service.consent('alice', link).catch(() => undefined);
        await killed;
        await service.extension('GET', `/v1/x/connect?session_id=${session}`);
        // Starts a run that was appended and not started.
        await sweepNow(service);
        expect(await follower.idle()).toMatchObject({ stop_reason: { type: 'end_turn' } });
        expect(ofType(follower.since(), 'agent.message').map(textOf)).toEqual(['Results: refunded 5']);
        expect(sent()).toBe(1);
        follower.leave();
      },
    );
  });

  describe('an OAuth token', () => {
    beforeAll(() => {
      service.closed = true;
    });

    /** A vault of Alice's with a token of the rotating authorization server, which ends when the test calls `end`. */
    async function connected() {
      const vault = await service.vaultOf('alice');
      const { access_token, refresh_token } = service.as.consented();
      const { id } = await service.client.beta.vaults.credentials.create(vault, {
        auth: {
          type: 'mcp_oauth',
          mcp_server_url: service.fx.url,
          access_token,
          expires_at: new Date(Date.now() + 3_600_000).toISOString(),
          refresh: {
            client_id: 'client-1',
            token_endpoint: service.as.tokenEndpoint,
            refresh_token,
            token_endpoint_auth: { type: 'none' },
          },
        },
      });
      const before = service.as.tokenRequests.length;
      return {
        ...{ vault, id, access_token, refresh_token },
        end: () => endToken(VaultId.parse(vault), CredentialId.parse(id)),
        tokenRequests: () => service.as.tokenRequests.length - before,
      };
    }

    /** Writes into the row that the token has ended, because the API takes no such instant. */
    async function endToken(vault: VaultId, id: CredentialId): Promise<void> {
      const { template, aws, baseUrl, apiKey } = service.runtime;
      const listed = await fetch(`${baseUrl}/v1/vaults`, { headers: { authorization: `Bearer ${apiKey}` } });
      const workspace = WorkspaceId.parse(listed.headers.get('anthropic-workspace-id'));
      const dynamodb = engineClient({ aws, template });
      const table = template.functions.flatMap(({ environment }) => environment['VAULT_TABLE'] ?? [])[0] ?? '';
      const records = createCredentialRecords(dynamodb, table);
      const stored = await records.find({ workspace, vault, credential: id });
      if (stored?.credential.auth.type !== 'mcp_oauth') throw new Error('the credential is not there');
      const auth = { ...stored.credential.auth, expires_at: new Date(Date.now() - 1000).toISOString() };
      const ended = { ...stored, version: stored.version + 1, credential: { ...stored.credential, auth } };
      expect(await records.replace(ended)).toBe('saved');
      dynamodb.destroy();
    }

    /** Makes the calls when the listing's token has ended. */
    function callingAfter(end: () => Promise<void>, count: number): Script {
      const sums = Array.from({ length: count }, (_, index) => mcp('sum', { a: index, b: 0 }));
      return async (request, index) => {
        if (request.messages.length === 1) await end();
        return calling(...sums)(request, index);
      };
    }

    /** The number of proxy instances that have called AWS. */
    function proxies(): number {
      const calls = service.runtime.faults.trace().filter((call) => call.function === 'mcp-proxy');
      return new Set(calls.map(({ worker }) => worker)).size;
    }

    async function severalProxies(): Promise<void> {
      while (proxies() < 2) await sleep(20);
    }

    it(`scenario 17: that ends before ${CALLS} concurrent calls is refreshed once, and all calls are made with the new one`, async () => {
      const { vault, end, access_token, refresh_token, tokenRequests } = await connected();
      const before = service.admitted('sum').length;
      service.standIn.script(callingAfter(end, CALLS));
      const session = await service.mcpSession({ vaults: [vault] });
      service.runtime.faults.disarm();
      // Holds the first request until a second instance needs the token too.
      service.as.answer({ do: 'grant', change: {}, after: severalProxies() });
      const seen = await service.converse(session, 'Add.');
      const sums = Array.from({ length: CALLS }, (_, index) => String(index));
      expect(ofType(seen, 'agent.mcp_tool_result').map(textOf).toSorted()).toEqual(sums.toSorted());
      expect(tokenRequests()).toBe(1);
      expect(proxies()).toBeGreaterThan(1);
      const sent = service
        .admitted('sum')
        .slice(before)
        .map(({ headers }) => headers['authorization']);
      expect(sent).toHaveLength(CALLS);
      expect(new Set(sent).size).toBe(1);
      expect(sent[0]).not.toBe(`Bearer ${access_token}`);
      expect(service.as.grants.isAlive(refresh_token)).toBe(true);
      expect(told(await auditOf(service, session)).filter((outcome) => outcome === 'done')).toHaveLength(CALLS);
    });

    it('that has ended when five sessions of one vault begin is refreshed once', async () => {
      const { vault, end, refresh_token, tokenRequests } = await connected();
      service.standIn.script(calling(mcp('sum', { a: 1, b: 2 })));
      const sessions = await Promise.all(Array.from({ length: 5 }, () => service.mcpSession({ vaults: [vault] })));
      await end();
      const seen = await Promise.all(sessions.map((session) => service.converse(session, 'Add.')));
      expect(seen.map((events) => ofType(events, 'agent.message').map(textOf).at(-1))).toEqual(
        sessions.map(() => 'Results: 3'),
      );
      expect(tokenRequests()).toBe(1);
      expect(service.as.grants.isAlive(refresh_token)).toBe(true);
    });

    it('is lost with a proxy that dies before it stores the new one: the user is asked again, without a loop of refreshes', async () => {
      const { vault, end, tokenRequests } = await connected();
      const before = service.admitted('sum').length;
      service.standIn.script(callingAfter(end, 1));
      const session = await service.mcpSession({ vaults: [vault] });
      const follower = await follow(service, session);
      const { faults } = service.runtime;
      const killed = faults.killDuring({ function: 'mcp-proxy', of: firstWrite, call: 1, phase: 'before' });
      await service.send(session, 'Add.');
      await killed;
      const [use] = [await follower.next('agent.mcp_tool_use')];
      expect((await follower.idle()).stop_reason).toEqual({ type: 'requires_action', event_ids: [use.id] });
      const [link = ''] = linksIn(follower.since());
      expect(tokenRequests()).toBe(2);
      expect(service.admitted('sum')).toHaveLength(before);

      // A further call does not try to refresh the credential.
      const other = await service.mcpSession({ vaults: [vault] });
      expect(linksIn(await service.converse(other, 'Add.'))).toHaveLength(1);
      expect(tokenRequests()).toBe(2);

      await service.consent('alice', link);
      expect((await follower.idle()).stop_reason).toEqual({ type: 'end_turn' });
      expect(ofType(follower.since(), 'agent.message').map(textOf)).toEqual(['Results: 0']);
      expect(service.admitted('sum')).toHaveLength(before + 1);
      follower.leave();
    });

    it('is validated by a request to its server, and then to the authorization server when the server refuses it', async () => {
      const { vault, id, access_token, refresh_token, tokenRequests } = await connected();
      const validate = () => service.client.beta.vaults.credentials.mcpOAuthValidate(id, { vault_id: vault });
      expect(await validate()).toMatchObject({
        status: 'valid',
        credential_id: id,
        has_refresh_token: true,
        refresh: null,
      });
      service.as.grants.expire(access_token);
      expect(await validate()).toMatchObject({ status: 'valid', refresh: { status: 'succeeded' } });
      expect(tokenRequests()).toBe(1);
      service.as.grants.revoke(refresh_token);
      const told = await validate();
      expect(told).toMatchObject({ status: 'invalid', refresh: { status: 'failed' } });
      expect(told.refresh?.http_response?.status_code).toBe(400);
      expect(JSON.stringify(told)).not.toMatch(/access-|refresh-/);
    });
  });

  it('leaves an audit trail with every chain intact', async () => {
    await verifyAudit(service);
  });
});
