import { describe, expect, it } from 'vitest';
import type { SessionAgent } from '#contract/agents.ts';
import { EventId, FIRST_POSITION, type Position, ThreadId } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import { judgeCalls } from '#core/mcp/judge-calls.ts';
import { fingerprint } from '#core/mcp/pins.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import type { CallFacts, PolicyDecision } from '#core/ports/policy.ts';
import { fold } from '#core/session/evolve.ts';
import { KEY } from '#test/functions/core/given.ts';
import {
  agentWith,
  ALICE,
  ALLOW,
  FX_URL,
  holding,
  proxyStage,
  sha256,
  SUM,
} from '#test/functions/core/mcp/proxy-stage.ts';

const wanted = (parts: { server?: string; tool?: string; input?: Record<string, unknown> } = {}) => ({
  id: EventId.parse('sevt_wanted'),
  server: 'fx',
  tool: 'sum',
  input: { a: 1 },
  ...parts,
});

const DENY: PolicyDecision = { ...ALLOW, decision: 'deny', code: 'forbidden', reason: 'Not on Sundays.' };

const policies = (decision: PolicyDecision): McpProxyWorld['policies'] => ({
  decide: async () => decision,
  isVisible: async () => true,
  prepare: async () => {},
});

describe('the verdict on an MCP call', () => {
  it('is that of policy, and one that allows or asks leaves no audit record before the call is made', async () => {
    const stage = proxyStage();
    for (const decision of ['allow', 'ask'] as const) {
      const world = { ...stage.world, policies: policies({ ...ALLOW, decision }) };
      expect(await judgeCalls(world, KEY, [wanted()])).toEqual([{ id: 'sevt_wanted', decision, reason: '' }]);
    }
    expect(stage.audited).toEqual([]);
  });

  it('is recorded with an intent and an outcome when it denies', async () => {
    const stage = proxyStage();
    const verdicts = await judgeCalls({ ...stage.world, policies: policies(DENY) }, KEY, [wanted()]);
    expect(verdicts).toEqual([{ id: 'sevt_wanted', decision: 'deny', reason: 'Not on Sundays.' }]);
    expect(stage.audited).toMatchObject([
      { kind: 'intent', decision: 'deny', code: 'forbidden', call: 'sevt_wanted', args_sha256: sha256('{"a":1}') },
      { kind: 'outcome', outcome: 'denied', error: 'forbidden' },
    ]);
  });

  it('stays a denial when the audit trail cannot be written, which is then the stated reason', async () => {
    const stage = proxyStage();
    const record = async () => Promise.reject(new Fault('audit_unavailable', 'down'));
    const world = { ...stage.world, policies: policies(DENY), audit: { record } };
    expect(await judgeCalls(world, KEY, [wanted()])).toMatchObject([
      { decision: 'deny', reason: expect.stringContaining('audit_unavailable') },
    ]);
  });

  it('is made from caller, pins and policies, which are read at the same time', async () => {
    const { world } = proxyStage();
    const asked = Array.from({ length: 3 }, () => Promise.withResolvers<void>());
    const all = Promise.all(asked.map(({ promise }) => promise));
    const together = async <Value>(index: number, read: () => Promise<Value>): Promise<Value> => {
      asked[index]?.resolve();
      await all;
      return read();
    };
    const beside: McpProxyWorld = {
      ...world,
      credentials: { match: (...of) => together(0, () => world.credentials.match(...of)) },
      pins: { ...world.pins, find: (...of) => together(1, () => world.pins.find(...of)) },
      policies: { ...world.policies, prepare: (...of) => together(2, () => world.policies.prepare(...of)) },
    };
    expect(await judgeCalls(beside, KEY, [wanted()])).toMatchObject([{ decision: 'allow' }]);
  });

  it('is that on the agent of the thread that calls, for the user of its session', async () => {
    const { world, log } = proxyStage();
    const childWith = (name: string, agent: SessionAgent) => {
      const child = { ...KEY, thread: ThreadId.parse(`sthr_${name}`) };
      const entries = log
        .entries(KEY)
        .map((entry) =>
          'record' in entry && entry.record.kind === 'session.created'
            ? { record: { ...entry.record, thread: child.thread, agent } }
            : entry,
        );
      log.create(child, fold(null, entries), entries);
      return child;
    };
    const judged: CallFacts[] = [];
    const decide = async (facts: CallFacts) => {
      judged.push(facts);
      return ALLOW;
    };
    const beside = { ...world, policies: { ...world.policies, decide } };
    const reviewer = childWith('reviewer', { ...agentWith(), name: 'Reviewer', version: 7 });
    const without = childWith('without', agentWith({ other: FX_URL }));
    expect(await judgeCalls(beside, reviewer, [wanted()])).toMatchObject([{ decision: 'allow' }]);
    expect(judged).toMatchObject([
      {
        ...{ thread: { id: 'sthr_reviewer', isPrimary: false, depth: 1 }, agent: { name: 'Reviewer', version: 7 } },
        user: 'alice',
      },
    ]);
    expect(await judgeCalls(beside, without, [wanted()])).toMatchObject([
      { decision: 'deny', reason: expect.stringContaining('no such MCP server') },
    ]);
  });

  it('is returned in the order of the calls', async () => {
    const stage = proxyStage();
    const verdicts = await judgeCalls(stage.world, KEY, [wanted(), wanted({ tool: 'nothing' }), wanted()]);
    expect(verdicts.map(({ decision }) => decision)).toEqual(['allow', 'deny', 'allow']);
  });

  it.each([
    ['a server that the agent does not have', wanted({ server: 'evil' }), 'unknown_server'],
    ['a tool that the model was not offered', wanted({ tool: 'drop_tables' }), 'unknown_tool'],
  ])('denies %s', async (_what, call, code) => {
    const stage = proxyStage();
    expect(await judgeCalls(stage.world, KEY, [call])).toMatchObject([{ decision: 'deny' }]);
    expect(stage.outcomes()).toMatchObject([{ error: code }]);
    expect(stage.judged).toEqual([]);
  });

  it('denies a tool that the agent has disabled since it was offered', async () => {
    const stage = proxyStage();
    const off = stage.agent.tools.map((tool) => ({
      ...tool,
      configs: [{ name: 'sum', enabled: false, permission_policy: { type: 'always_allow' } }],
    }));
    const agent = { ...stage.agent, tools: off as typeof stage.agent.tools };
    const entry = { event: { type: 'session.updated', agent } } as never;
    const log = {
      ...stage.log,
      entryAt: async (key: typeof KEY, position: Position) =>
        position === FIRST_POSITION ? entry : stage.log.entryAt(key, position),
    };
    await judgeCalls({ ...stage.world, log }, KEY, [wanted()]);
    expect(stage.outcomes()).toMatchObject([{ error: 'unknown_tool' }]);
  });

  it('scenario 37: denies a tool that differs from its pin, until a person approves the change', async () => {
    const stage = proxyStage();
    const changed = { ...SUM, description: 'Adds two numbers and mails them' };
    stage.pins.put(FX_URL, changed, fingerprint(changed, sha256));
    expect(await judgeCalls(stage.world, KEY, [wanted()])).toMatchObject([{ decision: 'deny' }]);
    expect(stage.outcomes()).toMatchObject([{ error: 'tool_drift' }]);
    stage.pins.put(FX_URL, SUM, fingerprint(SUM, sha256));
    expect(await judgeCalls(stage.world, KEY, [wanted()])).toMatchObject([{ decision: 'allow' }]);
  });

  it('denies every call when the caller cannot be determined', async () => {
    const stage = proxyStage({ holdings: [ALICE, holding('bob', 'bob')] });
    await judgeCalls(stage.world, KEY, [wanted()]);
    expect(stage.outcomes()).toMatchObject([{ error: 'two_users', user: null }]);
  });

  it('records at most as many characters of an invented tool name as a name may have', async () => {
    const stage = proxyStage();
    await judgeCalls(stage.world, KEY, [wanted({ server: 's'.repeat(9999), tool: 't'.repeat(9999) })]);
    expect(JSON.stringify(stage.audited).length).toBeLessThan(3000);
  });
});
