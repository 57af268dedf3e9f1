import { describe, expect, it } from 'vitest';
import { SessionAgent, type SessionThreadAgent } from '#contract/agents.ts';
import { AgentId } from '#contract/ids.ts';
import type { SessionSkill } from '#core/skills/session-skills.ts';
import { withSkills } from '#core/session/new-contents.ts';
import { isRefusal } from '#core/ports/errors.ts';
import { AGENT } from '#test/functions/core/given.ts';

const { multiagent: _multiagent, ...ADA } = AGENT;
const NOTHING = { contents: null, guides: {}, copies: [] };

/** A version of the skill with this name. */
const skill = (name: string, version: number): SessionSkill => {
  const id = `${name.replace('-', 'x')}${version}`;
  return {
    skill: { type: 'custom', skill_id: `skill_${id}`, version: `skver_${id}` },
    mounted: { name, version: `skver_${id}`, holder: `of ${name}` },
    description: `Does ${name}, ${version}.`,
  } as SessionSkill;
};

const having = (number: number, skills: readonly SessionSkill[]): SessionThreadAgent => ({
  ...ADA,
  id: AgentId.parse(`agent_${number}`),
  skills: skills.map((one) => one.skill),
});

/** A session of an agent with the first of these lists, which may give work to agents with the others. */
function given(own: readonly SessionSkill[], others: readonly (readonly SessionSkill[])[], base = NOTHING) {
  const listed = others.map((skills, index) => having(index + 2, skills));
  const multiagent = listed.length === 0 ? null : { type: 'coordinator' as const, agents: listed };
  const agent = SessionAgent.parse({ ...having(1, own), multiagent });
  return withSkills(base, agent, [own, ...others].flat());
}

function accepted(own: readonly SessionSkill[], others: readonly (readonly SessionSkill[])[], base = NOTHING) {
  const contents = given(own, others, base);
  if (isRefusal(contents)) throw new TypeError(contents.message);
  return contents;
}

const folders = (own: readonly SessionSkill[], others: readonly (readonly SessionSkill[])[]) =>
  (accepted(own, others).contents?.skills ?? []).map(({ name, version }) => `${name}: ${version}`);

describe('the skills of a session', () => {
  const [A1, A2, A3] = [skill('a', 1), skill('a', 2), skill('a', 3)];
  const B1 = skill('b', 1);
  it.each([
    ['none', [], [[]], []],
    ['of an agent alone', [A1, B1], [], ['a: skver_a1', 'b: skver_b1']],
    ['of all agents, each once', [A1], [[B1, A1], [B1]], ['a: skver_a1', 'b: skver_b1']],
    ['of a listed agent alone', [], [[B1]], ['b: skver_b1']],
    [
      'in several versions',
      [A2],
      [[A1], [A3, B1], [A1]],
      ['a: skver_a2', 'a-2: skver_a1', 'a-3: skver_a3', 'b: skver_b1'],
    ],
    ['with the name of a number', [skill('a-2', 1), A1], [[A2]], ['a-2: skver_ax21', 'a: skver_a1', 'a-3: skver_a2']],
    [
      'with a number that is taken',
      [A1],
      [[A2], [skill('a-2', 1)]],
      ['a: skver_a1', 'a-2: skver_a2', 'a-2-2: skver_ax21'],
    ],
  ])('are in folders: %s', (_what, own, others, expected) => {
    expect(folders(own, others)).toEqual(expected);
  });

  it('are told to each agent that has them, with the folders that they are in', () => {
    const { guides } = accepted([A2], [[A1, B1], [], [A2]]);
    const paths = (guide: string | undefined) =>
      [...(guide ?? '').matchAll(/skills\/([^/]+)\//g)].map(([, path]) => path);
    expect(paths(guides.guide)).toEqual(['a']);
    const listed = guides.guides as Record<string, string>;
    expect(Object.keys(listed)).toEqual(['agent_2', 'agent_4']);
    expect(paths(listed['agent_2'])).toEqual(['a-2', 'b']);
    expect(listed['agent_4']).toBe(guides.guide);
  });

  it('are told to a copy of the session’s agent as to the agent itself', () => {
    const own = having(1, [A1]);
    const agent = SessionAgent.parse({ ...own, multiagent: { type: 'coordinator', agents: [own, having(2, [B1])] } });
    const contents = withSkills(NOTHING, agent, [A1, B1]);
    if (isRefusal(contents)) throw new TypeError(contents.message);
    expect(Object.keys(contents.guides.guides ?? {})).toEqual(['agent_2']);
  });

  it('are told after the memory that all agents share', () => {
    const memory = { ...NOTHING, guides: { guide: 'Memory.' } };
    expect(accepted([], [[]], memory).guides).toEqual({ guide: 'Memory.', guides: { agent_2: 'Memory.' } });
    const { guide, guides } = accepted([A1], [[B1]], memory).guides;
    expect([guide, Object.values(guides ?? {})[0]].map((text) => text?.split('\n')[0])).toEqual(['Memory.', 'Memory.']);
    expect(accepted([], [])).toEqual(NOTHING);
  });

  it('are at most 100', () => {
    const many = (from: number) => Array.from({ length: 20 }, (_, at) => skill(`s${from + at}`, 1));
    const four = [many(20), many(40), many(60), many(80)];
    expect(folders(many(0), [...four, many(0)])).toHaveLength(100);
    expect(given(many(0), [...four, [B1]])).toMatchObject({
      type: 'invalid_request_error',
      message: expect.stringMatching(/^agent\.multiagent: .*at most 100 different skills/),
    });
  });
});
