/** A tool of a server without a credential: the session waits for its user, and continues by itself. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReplyTool } from '#infra/local/model/script.ts';
import { browserOf } from '#test/functions/connect/http-browser.ts';
import { follow, type Follower } from '#test/journeys/follower.ts';
import { calling, echo, lastTexts } from '#test/journeys/scripts.ts';
import { ofType, textOf, types } from '#test/journeys/service.ts';
import { confirmation, linksIn, startConsentService, type ConsentService } from '#test/mcp/consent-service.ts';
import { mcp } from '#test/mcp/mcp-service.ts';

const SUM = mcp('sum', { a: 1, b: 2 });

describe('an MCP call that finds no credential of its user', () => {
  let service: ConsentService;
  beforeAll(async () => {
    service = await startConsentService();
  });
  afterAll(async () => service.close());

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
    const { follower, stop, link, uses } = await waiting([SUM, mcp('sum', { a: 3, b: 4 }), mcp('sum', { a: 5, b: 6 })]);
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
      return offered.length < 3 ? { text: 'I look.', tools: [SUM] } : { text: `Results: ${lastTexts(request).join()}` };
    });
    const seen = await service.converse(session, 'Add one and two.');
    expect(linksIn(seen)).toEqual([link]);
    expect(offered).toEqual([false, true, true]);
    expect(ofType(seen, 'agent.message').map(textOf).at(-1)).toBe('Results: 3');
    expect((await service.extension('GET', `/v1/x/connect?session_id=${session}`)).body).toMatchObject({ data: [] });
    service.closed = false;
  });
});
