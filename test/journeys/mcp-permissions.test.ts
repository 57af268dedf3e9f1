/** What can deny a call of an MCP tool: the person who is asked, and the workspace's policies. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Script } from '#test/model/stand-in.ts';
import { auditOf, verifyAudit } from '#test/faults/audit.ts';
import { follow } from '#test/journeys/follower.ts';
import { calling } from '#test/journeys/scripts.ts';
import { ofType, textOf } from '#test/journeys/service.ts';
import { confirmation } from '#test/mcp/consent-service.ts';
import { ELICITATION } from '#test/mcp/fx-tools.ts';
import { mcp, startMcpService, type McpService } from '#test/mcp/mcp-service.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

const TOKEN = 'token-of-alice-0123456789';

let service: McpService;
let vaults: readonly string[];
beforeAll(async () => {
  service = await startMcpService({ fx: { tokens: { [TOKEN]: [] } } });
  vaults = [await service.vaultWith('alice', TOKEN)];
});
afterAll(async () => service.close());

describe('an MCP call that needs a confirmation', () => {
  async function asked() {
    const before = service.fx.calls('sum').length;
    service.standIn.script(calling(mcp('sum', { a: 1, b: 2 })));
    const session = await service.mcpSession({ vaults, policy: 'always_ask' });
    const follower = await follow(service, session);
    await service.send(session, 'Add one and two.');
    const { stop_reason: stop } = await follower.idle();
    const [use] = ofType(follower.since(), 'agent.mcp_tool_use');
    expect(use).toMatchObject({ evaluated_permission: 'ask' });
    expect(stop).toEqual({ type: 'requires_action', event_ids: [use?.id] });
    expect(service.fx.calls('sum')).toHaveLength(before);
    return { session, follower, id: use?.id ?? '', sent: () => service.fx.calls('sum').length - before };
  }

  const send = (session: string, answer: ReturnType<typeof confirmation>) =>
    service.client.beta.sessions.events.send(session, { events: [answer] });

  it('is made once when the client allows it', async () => {
    const { session, follower, id, sent } = await asked();
    await send(session, confirmation(id, 'allow'));
    expect((await follower.idle()).stop_reason).toEqual({ type: 'end_turn' });
    expect(ofType(follower.since(), 'agent.message').map(textOf)).toEqual(['Results: 3']);
    await expect(send(session, confirmation(id, 'allow'))).rejects.toMatchObject({ status: 400 });
    expect(sent()).toBe(1);
    const [intent] = await auditOf(service, session);
    expect(intent).toMatchObject({ kind: 'intent', call: id, code: 'default_permit', confirmed: true });
    follower.leave();
  });

  it('is not made when the client denies it, which is recorded, and the model reads why', async () => {
    const { session, follower, id, sent } = await asked();
    await send(session, confirmation(id, 'deny', 'ask accounting first'));
    expect((await follower.idle()).stop_reason).toEqual({ type: 'end_turn' });
    const after = follower.since();
    expect(ofType(after, 'agent.mcp_tool_result')).toMatchObject([{ mcp_tool_use_id: id, is_error: true }]);
    expect(ofType(after, 'agent.message').map(textOf).join()).toContain('ask accounting first');
    expect(sent()).toBe(0);
    const args_sha256 = sha256('{"a":1,"b":2}');
    expect(await auditOf(service, session)).toMatchObject([
      { kind: 'intent', call: id, tool: 'sum', user: 'alice', args_sha256, code: 'confirmation_denied' },
      { kind: 'outcome', call: id, server_url: service.fx.url, outcome: 'denied', error: 'confirmation_denied' },
    ]);
    follower.leave();
  });
});

it('scenario 31: an MCP call waits when its server wants a person to open a page, and the model does not see the page', async () => {
  service.standIn.script(calling(mcp('url_elicitation')));
  const session = await service.mcpSession({ vaults });
  const follower = await follow(service, session);
  await service.send(session, 'Pay.');
  const [use] = [await follower.next('agent.mcp_tool_use')];
  expect((await follower.idle()).stop_reason).toEqual({ type: 'requires_action', event_ids: [use.id] });
  const [told] = ofType(follower.since(), 'session.error');
  expect(told?.error.message).toContain(ELICITATION.url);
  const events = [confirmation(use.id, 'allow')];
  await service.client.beta.sessions.events.send(session, { events });
  expect((await follower.idle()).stop_reason).toEqual({ type: 'end_turn' });
  expect(ofType(follower.since(), 'agent.message').map(textOf)).toEqual(['Results: paid']);
  expect(JSON.stringify(service.standIn.requests)).not.toContain(new URL(ELICITATION.url).host);
  const ids = service.fx.calls('url_elicitation').map(({ rpc }) => rpc?.id);
  expect(new Set(ids).size).toBe(2);
  follower.leave();
});

describe('policies of the workspace', () => {
  /** Ends the proxy's instances, so that the next one reads the policies at once. */
  async function inForce(policy: object): Promise<void> {
    const saved = await service.extension('POST', '/v1/x/policy', { mode: 'enforce', policies: '', ...policy });
    expect(saved).toMatchObject({ status: 200 });
    await service.runtime.faults.kill('mcp-proxy');
  }

  async function refunded(session: string, script: Script) {
    const before = service.fx.calls('refund').length;
    service.standIn.script(script);
    const seen = await service.converse(session, 'Refund it.');
    const uses = ofType(seen, 'agent.mcp_tool_use').map(({ evaluated_permission: permission }) => permission);
    const results = ofType(seen, 'agent.mcp_tool_result').map((event) => [event.is_error, textOf(event)]);
    return { uses, results, sent: service.fx.calls('refund').length - before };
  }

  it('scenario 32: deny what they do not permit: it is reported, not sent, recorded, and hidden in later listings', async () => {
    const session = await service.mcpSession({ vaults });
    const { uses, results, sent } = await refunded(session, async (request, index) => {
      // The policy changes between the listing and the judgement.
      if (request.messages.length === 1) await inForce({ default: 'deny' });
      return calling(mcp('refund', { amount: 1 }))(request, index);
    });
    expect(uses).toEqual(['deny']);
    expect(results).toEqual([[true, expect.stringContaining('No policy of this workspace permits')]]);
    expect(sent).toBe(0);
    const records = await auditOf(service, session);
    expect(records).toMatchObject([
      { kind: 'intent', tool: 'refund', user: 'alice', decision: 'deny', code: 'no_matching_permit', mode: 'enforce' },
      { kind: 'outcome', tool: 'refund', outcome: 'denied', error: 'no_matching_permit', credential: null },
    ]);
    const exported = await service.extension('GET', `/v1/x/audit?session_id=${session}&kind=outcome`);
    expect(exported.body).toMatchObject({ data: [{ entry: { outcome: 'denied' } }] });

    await service.converse(session, 'And now?');
    expect(JSON.stringify(service.standIn.requests.at(-1)?.request.tools)).not.toContain('mcp__fx__');
  });

  it('scenario 33: permit calls of one answer by their arguments', async () => {
    const action = `MA::Action::"${new URL(service.fx.url).host}/refund"`;
    const small = `permit(principal, action == ${action}, resource) when { context.args.amount.lessThan(decimal("100.0")) };`;
    await inForce({ default: 'deny', policies: small });
    const amounts = [99.99, 100, '99.99', { __entity: { type: 'MA::User', id: 'root' } }];
    const session = await service.mcpSession({ vaults });
    const { uses, results, sent } = await refunded(
      session,
      calling(...amounts.map((amount) => mcp('refund', { amount }))),
    );
    expect(uses).toEqual(['allow', 'deny', 'deny', 'deny']);
    expect(results.map(([isError]) => isError).toSorted()).toEqual([false, true, true, true]);
    expect(sent).toBe(1);
    expect(service.fx.calls('refund').at(-1)?.rpc?.params).toMatchObject({ arguments: { amount: 99.99 } });
  });

  it('leave the decision to the agent’s permissions again when an empty set is saved', async () => {
    await inForce({ default: 'permit' });
    const session = await service.mcpSession({ vaults });
    const { uses, results } = await refunded(session, calling(mcp('refund', { amount: 100 })));
    expect([uses, results]).toEqual([['allow'], [[false, 'refunded 100']]]);
  });
});

it('every chain of the audit trail of these calls is intact', async () => {
  await verifyAudit(service);
});
