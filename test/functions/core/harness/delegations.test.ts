/** What an agent that gets work is told of memory and skills, and which settings its model has. */
import { describe, expect, it } from 'vitest';
import { SessionAgent, type SessionThreadAgent } from '#contract/agents.ts';
import { AgentId, EventId, FIRST_POSITION } from '#contract/ids.ts';
import { delegationsOf } from '#core/harness/delegations.ts';
import type { ContentBlock } from '#core/ports/model.ts';
import { toolRules } from '#core/tools/tool-definitions.ts';
import { AGENT, answer, createdWith, given, KEY, steadyStamp, NO_TEAM } from '#test/functions/core/given.ts';

const { multiagent: _multiagent, ...ADA } = AGENT;
const other = (id: string, name: string): SessionThreadAgent => ({ ...ADA, id: AgentId.parse(id), name });
const member = (...agents: readonly SessionThreadAgent[]) => ({
  type: 'enabled',
  inline_agents: { type: 'enabled' },
  predefined_agents: agents,
});
const LEAD = SessionAgent.parse({
  ...ADA,
  model: { id: 'claude-opus-5', effort: { type: 'max' }, speed: 'fast', inference_geo: 'us' },
  multiagent: {
    type: 'multiagent_20261001',
    subagents: member(ADA, other('agent_skilled', 'skilled'), other('agent_plain', 'plain')),
    workflows: { type: 'disabled' },
    advisor: { type: 'enabled', model: 'claude-fable-5' },
  },
});

/** What a call of a tool begins. */
async function begun(name: string, input: object, guides: object) {
  return (await delegations(guides, { type: 'tool_use', id: 'toolu_1', name, input })).get('toolu_1');
}

async function delegations(guides: object, ...blocks: readonly ContentBlock[]) {
  const created = createdWith(LEAD);
  if (!('record' in created)) throw new TypeError('an event');
  const { entries, head } = given([{ record: { ...created.record, ...guides } as typeof created.record }]);
  const world = { ...NO_TEAM, log: { head: async () => null } as never, stamp: unorderedStamp() };
  const said = answer({ stopReason: 'tool_use', blocks: [...blocks] });
  const slice = { first: FIRST_POSITION, entries, head };
  return delegationsOf(world, KEY, slice, { answer: said, rules: toolRules(LEAD, []) });
}

/** Random ids have no order. */
function unorderedStamp() {
  const ids = ['sevt_5', 'sevt_2', 'sevt_9', 'sevt_1'].values();
  return { ...steadyStamp(), eventId: () => EventId.parse(ids.next().value) };
}

it('threads that one answer begins have ids in the order of its calls', async () => {
  const input = { agent: 'plain', message: 'go' };
  const blocks = ['toolu_b', 'toolu_a', 'toolu_c'].map((id) => ({
    type: 'tool_use',
    id,
    name: 'send_to_agent',
    input,
  }));
  const found = [...(await delegations({}, ...blocks)).values()];
  const threads = found.map((delegation) => (delegation.do === 'begin' ? delegation.thread : null));
  expect(threads).toEqual(['sthr_2', 'sthr_5', 'sthr_9']);
});

describe('an agent that gets work', () => {
  const inline = { name: 'new', instructions: 'You are new.', message: 'go' };
  it.each([
    ['a copy of the session’s agent', 'send_to_agent', { agent: 'Ada', message: 'go' }, 'Own.'],
    ['one with skills', 'send_to_agent', { agent: 'skilled', message: 'go' }, 'Skilled.'],
    ['one that has none', 'send_to_agent', { agent: 'plain', message: 'go' }, null],
    ['one that the session’s agent defines', 'start_new_agent', inline, 'Own.'],
  ])('is told of its own skills: %s', async (_what, tool, input, guide) => {
    const guides = { guide: 'Own.', guides: { agent_skilled: 'Skilled.' } };
    expect(await begun(tool, input, guides)).toMatchObject({ do: 'begin', guide });
    const isOwn = guide === 'Own.';
    expect(await begun(tool, input, { guide: 'Own.' })).toMatchObject({ guide: isOwn ? 'Own.' : null });
  });

  it.each([
    ['send_to_agent', { agent: 'plain', message: 'a \ud99c b' }, { text: 'a \ufffd b' }],
    ['start_new_agent', { ...inline, name: 'n\ud99c' }, { name: 'n\ufffd' }],
    ['start_new_agent', { ...inline, instructions: 'Be \ud99c.' }, { agent: { system: 'Be \ufffd.' } }],
    ['ask_advisor', { question: 'Why \ud99c?' }, { text: 'Why \ufffd?' }],
  ])('replaces half a character that the model streamed: %s', async (tool, input, read) => {
    expect(await begun(tool, input, {})).toMatchObject(read);
  });

  it('as advisor has the settings of its model, where the agent’s model runs', async () => {
    const model = { id: 'claude-fable-5', effort: { type: 'high' }, speed: 'standard', inference_geo: 'us' };
    expect(await begun('ask_advisor', { question: 'Why?' }, {})).toMatchObject({ agent: { model, tools: [] } });
  });
});
