import { expect, it, onTestFinished } from 'vitest';
import { ThreadId } from '#contract/ids.ts';
import { makeCall } from '#core/mcp/make-call.ts';
import { KEY } from '#test/functions/core/given.ts';
import { holding } from '#test/functions/core/mcp/proxy-stage.ts';
import { policiesOf, policyOf } from '#test/functions/core/policy/facts.ts';
import { startFx } from '#test/mcp/fx.ts';
import { fxSession, userOf } from '#test/mcp/proxy-sessions.ts';

const PRIMARY_ONLY = `permit(principal, action, resource);
@id("no-subagents") forbid(principal, action, resource) unless { context.call.thread_primary };`;

const SUBAGENT = ThreadId.parse('sthr_subagent');

/**
 * A session of Alice with two vaults. Its log can be read as that of another thread, because no agent can start one
 * yet.
 */
async function session(policies: string) {
  const fx = await startFx();
  onTestFinished(fx.close);
  const first = userOf(fx, 'alice');
  const second = holding('second', 'alice', fx.url);
  const over = { policies: policiesOf(policyOf(policies)) };
  const running = fxSession(fx, { holdings: [first, second], over });
  const { log, world } = running;
  const elsewhere: typeof log = {
    ...log,
    head: () => log.head(KEY),
    entryAt: (_key, position) => log.entryAt(KEY, position),
    append: (append) => log.append({ ...append, key: KEY }),
  };
  const asSubagent = () =>
    makeCall({ ...world, log: elsewhere }, { ...running.request, thread: SUBAGENT }, running.until);
  return { ...running, fx, first, asSubagent };
}

it('scenario 13: a policy for the primary thread denies the same call in another thread', async () => {
  const { fx, asSubagent, results, audited } = await session(PRIMARY_ONLY);
  await asSubagent();
  expect(results()).toMatchObject([{ is_error: true, content: [{ text: expect.stringMatching(/^denied: /) }] }]);
  expect(audited).toMatchObject([
    { kind: 'intent', thread: SUBAGENT, decision: 'deny', code: 'forbidden', policy_ids: ['no-subagents'] },
    { kind: 'outcome', thread: SUBAGENT, outcome: 'denied' },
  ]);
  expect(fx.requests).toEqual([]);
});

it('scenario 13: the primary thread may call, and its events name no thread', async () => {
  const { fx, call, results, entries } = await session(PRIMARY_ONLY);
  await call();
  expect(results()).toMatchObject([{ is_error: false }]);
  expect(fx.calls('sum')).toHaveLength(1);
  const events = entries().flatMap((entry) => ('event' in entry ? [entry.event] : []));
  const ofMcp = events.filter(({ type }) => type.startsWith('agent.mcp_'));
  expect(ofMcp.map(({ type }) => type)).toEqual(['agent.mcp_tool_use', 'agent.mcp_tool_result']);
  for (const event of ofMcp) expect(event).not.toHaveProperty('session_thread_id');
});

it('scenario 13: a permitted thread calls with the vaults of its session, in their order', async () => {
  const { fx, first, asSubagent, outcomes } = await session('permit(principal, action, resource);');
  await asSubagent();
  expect(outcomes()).toMatchObject([{ thread: SUBAGENT, outcome: 'done', user: 'alice', vault: first.vault.id }]);
  expect(fx.calls('sum').map(({ headers }) => headers['authorization'])).toEqual([`Bearer ${first.token}`]);
});
