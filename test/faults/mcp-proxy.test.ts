/**
 * The MCP proxy dies at each of the effects of a call, and before it: while it lists and judges. Each time the session
 * finishes, the server has seen the call at most once, and the model is told when nobody knows whether it had an effect.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { auditOf, told } from '#test/faults/audit.ts';
import { expectSound } from '#test/faults/stored-log.ts';
import type { KillDuring } from '#infra/local/faults.ts';
import { calling } from '#test/journeys/scripts.ts';
import { ofType, textOf } from '#test/journeys/service.ts';
import { mcp, startMcpService, type McpService } from '#test/mcp/mcp-service.ts';

const TOKEN = 'token-of-alice-0123456789';
const REFUND = mcp('refund', { amount: 5 });
const UNKNOWN = /^outcome_unknown: .*may or may not have had an effect/;

/** With tools that are pinned already, a call writes these and nothing else, in this order. */
const AUDIT_INTENT = { of: 'dynamodb:PutItem', call: 1 };
const MARK_STARTED = { of: 'dynamodb:UpdateItem', call: 1 };
const LOG_RESULT = { of: 'dynamodb:PutItem', call: 2 };
const AUDIT_OUTCOME = { of: 'dynamodb:PutItem', call: 3 };
const MARK_DONE = { of: 'dynamodb:UpdateItem', call: 2 };

const LISTING = { of: 'dynamodb:Query', call: 1 };
/** Three are the listing's. */
const JUDGING = { of: 'dynamodb:Query', call: 4 };

describe('the MCP proxy killed', () => {
  let service: McpService;
  let vault: string;
  beforeAll(async () => {
    service = await startMcpService({ fx: { tokens: { [TOKEN]: [] } } });
    vault = await service.vaultWith('alice', TOKEN);
    service.standIn.script(calling(REFUND));
    await service.converse(await service.mcpSession({ vaults: [vault] }), 'pins the tools');
  }, 120_000);
  afterAll(async () => service.close());
  afterEach(() => {
    service.runtime.faults.disarm();
    service.fx.intercept = () => undefined;
  });

  /** What the model was told of the call, how often the server was asked to make it, and what is on record of it. */
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

  /** The proxy dies at this call and, each time it is asked again, at its first one: so often that it is given up. */
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

  it.each([
    ['before', 'the intent is on record', AUDIT_INTENT, ['intent', 'done']],
    ['after', 'the intent is on record', AUDIT_INTENT, ['intent', 'intent', 'done']],
    ['before', 'the call is marked', MARK_STARTED, ['intent', 'intent', 'done']],
  ] as const)(
    '%s %s: the next attempt makes the call',
    async (phase, _effect, effect, audited) => {
      const { faults } = service.runtime;
      const seen = await refundKilled(() => faults.killDuring({ function: 'mcp-proxy', ...effect, phase }));
      expect(seen).toMatchObject({ text: 'refunded 5', sent: 1, audited });
    },
    60_000,
  );

  it('after the call is marked: nothing was sent, which the next attempt cannot know', async () => {
    const { faults } = service.runtime;
    const kill = { function: 'mcp-proxy', ...MARK_STARTED, phase: 'after' } as const;
    const seen = await refundKilled(() => faults.killDuring(kill));
    expect(seen).toMatchObject({ sent: 0, audited: ['intent', 'unknown'] });
    expect(seen.text).toMatch(UNKNOWN);
  }, 60_000);

  it('while the server works: the call is not made again', async () => {
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
  }, 60_000);

  it('before the result is in the log: the result is lost, and the call is not made again', async () => {
    const { faults } = service.runtime;
    const kill = { function: 'mcp-proxy', ...LOG_RESULT, phase: 'before' } as const;
    const seen = await refundKilled(() => faults.killDuring(kill));
    expect(seen).toMatchObject({ sent: 1, audited: ['intent', 'unknown'] });
    expect(seen.text).toMatch(UNKNOWN);
  }, 60_000);

  it.each([
    ['after', 'the result is in the log', LOG_RESULT, ['intent', 'unknown']],
    ['before', 'the outcome is on record', AUDIT_OUTCOME, ['intent', 'unknown']],
    ['after', 'the outcome is on record', AUDIT_OUTCOME, ['intent', 'done']],
    ['before', 'the call is marked as done', MARK_DONE, ['intent', 'done']],
    ['after', 'the call is marked as done', MARK_DONE, ['intent', 'done']],
  ] as const)(
    '%s %s: the session has its result, once, and auditors one outcome',
    async (phase, _e, effect, audited) => {
      const { faults } = service.runtime;
      const seen = await refundKilled(() => faults.killDuring({ function: 'mcp-proxy', ...effect, phase }));
      expect(seen).toMatchObject({ text: 'refunded 5', sent: 1, audited });
    },
    60_000,
  );

  it.each([
    ['is listed', 'dynamodb:PutItem', 1, 'before'],
    ['was judged', 'lambda:InvokeFunction', 2, 'after'],
    ['is told', 'dynamodb:PutItem', 3, 'before'],
  ] as const)(
    'spared, and the harness killed when a call %s: it is made once',
    async (_when, of, call, phase) => {
      const { faults } = service.runtime;
      const seen = await refundKilled(() => faults.killDuring({ function: 'harness', of, call, phase }));
      expect(seen).toMatchObject({ text: 'refunded 5', sent: 1, audited: ['intent', 'done'] });
    },
    60_000,
  );

  it.each([
    ['lists tools', LISTING],
    ['judges a call', JUDGING],
  ])(
    'while it %s: it is asked again, and the call is made',
    async (_what, effect) => {
      const { faults } = service.runtime;
      const seen = await refundKilled(() => faults.killDuring({ function: 'mcp-proxy', ...effect, phase: 'before' }));
      expect(seen).toMatchObject({ text: 'refunded 5', sent: 1, audited: ['intent', 'done'] });
      expect(ofType(seen.events, 'session.error')).toEqual([]);
      expect(ofType(seen.events, 'agent.mcp_tool_use')).toMatchObject([{ evaluated_permission: 'allow' }]);
    },
    60_000,
  );

  it('each time it lists tools: the run goes on without them, and people are told', async () => {
    const { sent, events } = await refundKilled(() => killEachTime(LISTING));
    expect(sent).toBe(0);
    expect(ofType(events, 'session.error')).toMatchObject([
      { error: { type: 'mcp_connection_failed_error', mcp_server_name: 'fx' } },
    ]);
    expect(textOf(ofType(events, 'agent.tool_result')[0])).toContain('There is no tool named mcp__fx__refund');
  }, 60_000);

  it('each time it judges a call: that is judged when it is made', async () => {
    const seen = await refundKilled(() => killEachTime(JUDGING));
    expect(seen).toMatchObject({ text: 'refunded 5', sent: 1, audited: ['intent', 'done'] });
  }, 60_000);

  describe('where policy forbids the call', () => {
    beforeAll(async () => {
      await enforce('forbid(principal, action, resource) when { context.args has amount };');
    });
    afterAll(async () => enforce(''));

    it('each time it judges that: nothing is sent, and auditors read of the refusal', async () => {
      const seen = await refundKilled(() => killEachTime(JUDGING));
      expect(seen).toMatchObject({ sent: 0, audited: ['intent', 'denied'] });
      expect(ofType(seen.events, 'agent.mcp_tool_use')).toMatchObject([{ evaluated_permission: 'allow' }]);
      expect(ofType(seen.events, 'agent.mcp_tool_result')).toMatchObject([{ is_error: true }]);
    }, 60_000);

    it('after the refusal is on record: it is there once more, of the same call', async () => {
      const { faults } = service.runtime;
      const recorded = { of: 'dynamodb:PutItem', call: 2, phase: 'after' } as const;
      const seen = await refundKilled(() => faults.killDuring({ function: 'mcp-proxy', ...recorded }));
      expect(seen).toMatchObject({ sent: 0, audited: ['intent', 'denied', 'intent', 'denied'] });
      const [use] = ofType(seen.events, 'agent.mcp_tool_use');
      expect(use).toMatchObject({ evaluated_permission: 'deny' });
      expect(seen.calls).toEqual([use?.id]);
    }, 60_000);
  });
});
