/**
 * The MCP proxy dies at each of the effects of a call, and while it lists and judges. Each time the session finishes,
 * the server gets the call at most once, and the model reads when the outcome is unknown.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { auditOf, beginChains, told, verifyAudit } from '#test/faults/audit.ts';
import { expectSound } from '#test/faults/stored-log.ts';
import type { KillDuring } from '#test/runtime/faults.ts';
import { calling } from '#test/journeys/scripts.ts';
import { ofType, textOf } from '#test/journeys/service.ts';
import { mcp, startMcpService, type McpService } from '#test/mcp/mcp-service.ts';
import { sample } from '#test/property-runs.ts';

const TOKEN = 'token-of-alice-0123456789';
const REFUND = mcp('refund', { amount: 5 });
const UNKNOWN = /^outcome_unknown: .*may or may not have had an effect/;

/** The calls to AWS, in order, of a call to a pinned tool. */
const AUDIT_INTENT = { of: 'dynamodb:PutItem', call: 1 };
const MARK_STARTED = { of: 'dynamodb:UpdateItem', call: 1 };
const LOG_RESULT = { of: 'dynamodb:PutItem', call: 2 };
const AUDIT_OUTCOME = { of: 'dynamodb:PutItem', call: 3 };
const MARK_DONE = { of: 'dynamodb:UpdateItem', call: 2 };

const LISTING = { of: 'dynamodb:Query', call: 1 };
/** The listing makes four calls of this kind. */
const JUDGING = { of: 'dynamodb:Query', call: 5 };

describe('an MCP call, when the proxy is killed', () => {
  let service: McpService;
  let vault: string;
  beforeAll(async () => {
    service = await startMcpService({ fx: { tokens: { [TOKEN]: [] } } });
    vault = await service.vaultWith('alice', TOKEN);
    service.standIn.script(calling(REFUND));
    await beginChains(service);
    await service.converse(await service.mcpSession({ vaults: [vault] }), 'pins the tools');
  });
  afterAll(async () => service.close());
  afterEach(() => {
    service.runtime.faults.disarm();
    service.fx.intercept = () => undefined;
  });

  /** The result that the model got, how often the server got the call, and the call's audit records. */
  async function refundKilled(kill: () => Promise<unknown>) {
    await service.runtime.aws.stepFunctions.idle();
    const session = await service.mcpSession({ vaults: [vault] });
    const before = service.fx.calls('refund').length;
    const killed = kill();
    await service.send(session, 'refund');
    await killed;
    await service.idle(session);
    await service.runtime.aws.stepFunctions.idle();
    const events = await expectSound(service, session);
    expect(ofType(events, 'session.status_idle')).toMatchObject([{ stop_reason: { type: 'end_turn' } }]);
    expect(ofType(events, 'agent.message')).toHaveLength(2);
    const [result] = ofType(events, 'agent.mcp_tool_result');
    const trail = await auditOf(service, session);
    const sent = service.fx.calls('refund').length - before;
    return {
      text: textOf(result),
      sent,
      audited: told(trail),
      calls: [...new Set(trail.map(({ call }) => call))],
      events,
    };
  }

  /** The proxy dies at this call, and at the first call of each repeat, until the harness gives it up. */
  async function killEachTime(kill: Pick<KillDuring, 'of' | 'call'>) {
    const { faults } = service.runtime;
    await faults.killDuring({ function: 'mcp-proxy', ...kill, phase: 'before' });
    for (let again = 0; again < 3; again += 1) {
      await faults.killDuring({ function: 'mcp-proxy', call: 1, phase: 'before' });
    }
  }

  const enforce = (policies: string) =>
    expect(service.extension('POST', '/v1/x/policy', { policies, mode: 'enforce' })).resolves.toMatchObject({
      status: 200,
    });

  it.each(
    sample(1, [
      ['before', 'the intent is on record', AUDIT_INTENT, ['intent', 'done']],
      ['after', 'the intent is on record', AUDIT_INTENT, ['intent', 'intent', 'done']],
      ['before', 'the call is marked', MARK_STARTED, ['intent', 'intent', 'done']],
    ] as const),
  )('%s %s, is made by the next attempt', async (phase, _effect, effect, audited) => {
    const { faults } = service.runtime;
    const seen = await refundKilled(() => faults.killDuring({ function: 'mcp-proxy', ...effect, phase }));
    expect(seen).toMatchObject({ text: 'refunded 5', sent: 1, audited });
  });

  it('after the call is marked, has an unknown outcome, although nothing was sent', async () => {
    const { faults } = service.runtime;
    const kill = { function: 'mcp-proxy', ...MARK_STARTED, phase: 'after' } as const;
    const seen = await refundKilled(() => faults.killDuring(kill));
    expect(seen).toMatchObject({ sent: 0, audited: ['intent', 'unknown'] });
    expect(seen.text).toMatch(UNKNOWN);
  });

  it('while the server works, is not made again', async () => {
    const seen = await refundKilled(async () => {
      const { promise: asked, resolve } = Promise.withResolvers<void>();
      const { promise: never } = Promise.withResolvers<undefined>();
      service.fx.intercept = ({ rpc }) => {
        if (rpc?.method !== 'tools/call') return undefined;
        resolve();
        return never;
      };
      await asked;
      expect(await service.runtime.faults.kill('mcp-proxy')).toBeGreaterThan(0);
    });
    expect(seen).toMatchObject({ sent: 1, audited: ['intent', 'unknown'] });
    expect(seen.text).toMatch(UNKNOWN);
  });

  it('before the result is in the log, has an unknown outcome and is not made again', async () => {
    const { faults } = service.runtime;
    const kill = { function: 'mcp-proxy', ...LOG_RESULT, phase: 'before' } as const;
    const seen = await refundKilled(() => faults.killDuring(kill));
    expect(seen).toMatchObject({ sent: 1, audited: ['intent', 'unknown'] });
    expect(seen.text).toMatch(UNKNOWN);
  });

  it.each(
    sample(2, [
      ['after', 'the result is in the log', LOG_RESULT, ['intent', 'unknown']],
      ['before', 'the outcome is on record', AUDIT_OUTCOME, ['intent', 'unknown']],
      ['after', 'the outcome is on record', AUDIT_OUTCOME, ['intent', 'done']],
      ['before', 'the call is marked as done', MARK_DONE, ['intent', 'done']],
      ['after', 'the call is marked as done', MARK_DONE, ['intent', 'done']],
    ] as const),
  )('%s %s, has one result and one outcome in the audit trail', async (phase, _e, effect, audited) => {
    const { faults } = service.runtime;
    const seen = await refundKilled(() => faults.killDuring({ function: 'mcp-proxy', ...effect, phase }));
    expect(seen).toMatchObject({ text: 'refunded 5', sent: 1, audited });
  });

  it.each(
    sample(1, [
      ['is listed', 'dynamodb:PutItem', 1, 'before'],
      ['was judged', 'lambda:InvokeFunction', 2, 'after'],
      ['is told', 'dynamodb:PutItem', 3, 'before'],
    ] as const),
  )('never and the harness instead when a call %s, is made once', async (_when, of, call, phase) => {
    const { faults } = service.runtime;
    const seen = await refundKilled(() => faults.killDuring({ function: 'harness', of, call, phase }));
    expect(seen).toMatchObject({ text: 'refunded 5', sent: 1, audited: ['intent', 'done'] });
  });

  it.each(
    sample(1, [
      ['lists tools', LISTING],
      ['judges a call', JUDGING],
    ]),
  )('once while it %s, is made after the proxy is asked again', async (_what, effect) => {
    const { faults } = service.runtime;
    const seen = await refundKilled(() => faults.killDuring({ function: 'mcp-proxy', ...effect, phase: 'before' }));
    expect(seen).toMatchObject({ text: 'refunded 5', sent: 1, audited: ['intent', 'done'] });
    expect(ofType(seen.events, 'session.error')).toEqual([]);
    expect(ofType(seen.events, 'agent.mcp_tool_use')).toMatchObject([{ evaluated_permission: 'allow' }]);
  });

  it('each time it lists tools, is not possible: the run goes on without them, and the client is told', async () => {
    const { sent, events } = await refundKilled(() => killEachTime(LISTING));
    expect(sent).toBe(0);
    expect(ofType(events, 'session.error')).toMatchObject([
      { error: { type: 'mcp_connection_failed_error', mcp_server_name: 'fx' } },
    ]);
    expect(textOf(ofType(events, 'agent.tool_result')[0])).toContain('There is no tool named mcp__fx__refund');
  });

  it('each time it judges a call, is judged when it is made', async () => {
    const seen = await refundKilled(() => killEachTime(JUDGING));
    expect(seen).toMatchObject({ text: 'refunded 5', sent: 1, audited: ['intent', 'done'] });
  });

  describe('and policy forbids the call,', () => {
    beforeAll(async () => {
      await enforce('forbid(principal, action, resource) when { context.args has amount };');
    });
    afterAll(async () => enforce(''));

    it('each time it judges the call, is not sent, and the audit trail has the denial', async () => {
      const seen = await refundKilled(() => killEachTime(JUDGING));
      expect(seen).toMatchObject({ sent: 0, audited: ['intent', 'denied'] });
      expect(ofType(seen.events, 'agent.mcp_tool_use')).toMatchObject([{ evaluated_permission: 'allow' }]);
      expect(ofType(seen.events, 'agent.mcp_tool_result')).toMatchObject([{ is_error: true }]);
    });

    it('after the denial is recorded, is recorded as denied once more under the same id', async () => {
      const { faults } = service.runtime;
      const recorded = { of: 'dynamodb:PutItem', call: 2, phase: 'after' } as const;
      const seen = await refundKilled(() => faults.killDuring({ function: 'mcp-proxy', ...recorded }));
      expect(seen).toMatchObject({ sent: 0, audited: ['intent', 'denied', 'intent', 'denied'] });
      const [use] = ofType(seen.events, 'agent.mcp_tool_use');
      expect(use).toMatchObject({ evaluated_permission: 'deny' });
      expect(seen.calls).toEqual([use?.id]);
    });
  });

  it('leaves an audit trail with every chain intact', async () => {
    await verifyAudit(service);
  });
});
