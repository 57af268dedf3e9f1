import { describe, expect, it } from 'vitest';
import { SessionMultiagent, type SessionThreadAgent } from '#contract/agents.ts';
import { AgentId } from '#contract/ids.ts';
import { rosterOf } from '#core/tools/roster.ts';
import { AGENT } from '#test/functions/core/given.ts';

const { multiagent: _multiagent, ...ADA } = AGENT;
const listed = (number: number, name: string): SessionThreadAgent => ({
  ...ADA,
  id: AgentId.parse(`agent_1${number}`),
  name,
  description: `Is number ${number}.`,
});
const [ONE, TWO] = [listed(1, 'one'), listed(2, 'two')];
const members = (agents: readonly SessionThreadAgent[], inline = 'enabled') => ({
  type: 'enabled',
  inline_agents: { type: inline },
  predefined_agents: agents,
});
const newer = (fields: object) => ({
  type: 'multiagent_20261001',
  subagents: members([]),
  workflows: members([]),
  advisor: { type: 'disabled' },
  ...fields,
});
const roster = (multiagent: object | null) => rosterOf({ multiagent: SessionMultiagent.nullable().parse(multiagent) });
const names = (list: readonly string[]) =>
  roster({ type: 'coordinator', agents: list.map((name, index) => listed(index, name)) }).agents.map(
    ({ name }) => name,
  );

describe('the roster of a session', () => {
  const entry = (agent: SessionThreadAgent) => ({ name: agent.name, description: agent.description, agent });
  const advisor = { model: 'claude-opus-5' };
  it.each([
    ['of an agent alone', null, {}],
    ['of a list', { type: 'coordinator', agents: [TWO, ONE] }, { agents: [entry(TWO), entry(ONE)] }],
    [
      'of a list with an advisor',
      { type: 'coordinator', agents: [ONE, { type: 'advisor', ...advisor }] },
      { agents: [entry(ONE)], advisor },
    ],
    ['of the defaults', newer({}), { inlineAgents: true }],
    [
      'of predefined agents',
      newer({ subagents: members([ONE, TWO], 'disabled') }),
      { agents: [entry(ONE), entry(TWO)] },
    ],
    [
      'without subagents',
      newer({ subagents: { type: 'disabled' }, advisor: { type: 'enabled', ...advisor } }),
      { advisor },
    ],
    ['without the agents of workflows', newer({ workflows: members([ONE]) }), { inlineAgents: true }],
  ])('%s', (_what, multiagent, expected) => {
    expect(roster(multiagent)).toEqual({ agents: [], advisor: null, inlineAgents: false, ...expected });
  });

  it.each([
    [
      ['a', 'b'],
      ['a', 'b'],
    ],
    [
      ['a', 'a', 'b', 'a'],
      ['a', 'a (2)', 'b', 'a (3)'],
    ],
    // A number is not given to one agent when it is the name of another.
    [
      ['a', 'a', 'a (2)'],
      ['a', 'a (3)', 'a (2)'],
    ],
    [
      ['a (2)', 'a (2)', 'a', 'a'],
      ['a (2)', 'a (2) (2)', 'a', 'a (3)'],
    ],
  ])('calls %j %j', (given, expected) => {
    expect(names(given)).toEqual(expected);
  });
});
