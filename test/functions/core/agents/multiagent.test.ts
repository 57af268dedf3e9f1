/** What agents list: references are looked up and pinned, updates merge level by level, sessions have whole definitions. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Agent, AgentCreate, AgentOverrides, AgentUpdate, SessionAgent } from '#contract/agents.ts';
import { AgentId, WorkspaceId } from '#contract/ids.ts';
import { MultiagentInput } from '#contract/multiagent.ts';
import { listingOf } from '#core/agents/listing.ts';
import { overrideAgent, replaceTools } from '#core/agents/override.ts';
import { resolveAgent, snapshotOf } from '#core/agents/resolve.ts';
import { brokenListing, nextVersion } from '#core/agents/update.ts';
import { isRefusal, type RequestRefusal } from '#core/ports/errors.ts';
import { explain } from '#core/requests/explain.ts';
import { propertyRuns } from '#test/property-runs.ts';

const NOW = '2026-11-21T10:00:00.000Z';
const WORKSPACE = WorkspaceId.parse('wrkspc_1');
const OWN = 'agent_own';

const agent = (id: string, fields: object = {}, version = 1): Agent => {
  const input = AgentCreate.parse({ name: id, model: 'claude-sonnet-5', ...fields });
  return Agent.parse({ ...resolveAgent(input, AgentId.parse(id), NOW), version });
};
const LIST = { type: 'coordinator', agents: [{ type: 'agent', id: 'agent_a', version: 2 }] };
/** Every version of each agent, in order. */
const SAVED: Readonly<Record<string, readonly Agent[]>> = {
  agent_a: [agent('agent_a'), agent('agent_a', { system: 'Second.' }, 2)],
  agent_b: [agent('agent_b')],
  agent_us: [agent('agent_us', { model: { id: 'claude-sonnet-5', inference_geo: 'us' } })],
  agent_lead: [agent('agent_lead'), Agent.parse({ ...agent('agent_lead', {}, 2), multiagent: LIST })],
  agent_gone: [{ ...agent('agent_gone'), archived_at: NOW }],
  agent_advisor: [agent('agent_advisor', { name: 'anthropic.advisor' })],
  agent_large: [
    agent('agent_large', {
      tools: [{ type: 'custom', name: 'a', description: 'x'.repeat(200_000), input_schema: { type: 'object' } }],
    }),
  ],
  ...Object.fromEntries(Array.from({ length: 21 }, (_, at) => [`agent_n${at}`, [agent(`agent_n${at}`)]])),
};

const agents = (own: readonly Agent[] = []) => ({
  async find(_workspace: WorkspaceId, id: AgentId, version?: number) {
    const versions = id === OWN ? own : (SAVED[id] ?? []);
    return (version === undefined ? versions.at(-1) : versions[version - 1]) ?? null;
  },
});

/** What the operation that creates an agent does with it. */
async function created(multiagent: unknown, fields: object = {}): Promise<Agent | RequestRefusal> {
  const { multiagent: input, ...rest } = AgentCreate.parse({
    name: 'Ada',
    model: 'claude-sonnet-5',
    ...fields,
    multiagent,
  });
  const alone = Agent.parse(resolveAgent(rest, AgentId.parse(OWN), NOW));
  const listing = await listingOf(agents(), { workspace: WORKSPACE, agent: alone }, input);
  if (isRefusal(listing)) return listing;
  const made = Agent.parse({ ...alone, multiagent: listing.multiagent });
  return brokenListing(made, listing.listed) ?? made;
}

/** The versions of an agent after these updates. */
async function history(multiagent: unknown, ...updates: readonly object[]): Promise<readonly Agent[]> {
  const versions = [accepted(await created(multiagent))];
  for (const update of updates) {
    const next = accepted(await updated(versions, update));
    if (next.version > versions.length) versions.push(next);
  }
  return versions;
}

async function updated(versions: readonly Agent[], fields: object): Promise<Agent | RequestRefusal> {
  const update = AgentUpdate.parse(fields);
  const latest = versions.at(-1) as Agent;
  const listing = await listingOf(agents(versions), { workspace: WORKSPACE, agent: latest }, update.multiagent);
  return isRefusal(listing) ? listing : nextVersion(latest, update, { now: NOW, ...listing });
}

function accepted<Value extends object>(value: Value | RequestRefusal): Value {
  if (isRefusal(value)) throw new TypeError(value.message);
  return value;
}

async function sessionAgent(saved: Agent, versions: readonly Agent[] = [saved]): Promise<SessionAgent> {
  const listing = accepted(await listingOf(agents(versions), { workspace: WORKSPACE, agent: saved }, undefined));
  return SessionAgent.parse(snapshotOf(saved, saved.skills, listing.listed));
}

const pin = (id: string, version = 1) => ({ type: 'agent', id, version });
const coordinator = (...entries: readonly unknown[]) => ({ type: 'coordinator', agents: entries });
const members = (fields: object = {}) => ({ type: 'multiagent_20261001', ...fields });
const enabled = (list: readonly unknown[] = [], inline = 'enabled') => ({
  type: 'enabled',
  inline_agents: { type: inline },
  predefined_agents: list,
});
const DISABLED = { type: 'disabled' };
const SELF = { type: 'self' };
const ADVISOR = { type: 'advisor', model: 'claude-opus-5' };
const DEFAULTS = members({ subagents: enabled(), workflows: enabled(), advisor: DISABLED });

describe('a new agent', () => {
  it.each([
    ['lists an agent at its latest version', coordinator('agent_a'), coordinator(pin('agent_a', 2))],
    ['lists a version', coordinator({ type: 'agent', id: 'agent_a', version: 1 }), coordinator(pin('agent_a', 1))],
    ['lists an earlier version that lists none', coordinator(pin('agent_lead', 1)), coordinator(pin('agent_lead', 1))],
    ['lists itself', coordinator('agent_b', SELF), coordinator(pin('agent_b'), pin(OWN))],
    ['has its advisor last', coordinator(ADVISOR, 'agent_b'), coordinator(pin('agent_b'), ADVISOR)],
    ['has an advisor alone', coordinator(ADVISOR), coordinator(ADVISOR)],
    ['lists 20', coordinator(...numbered(20)), coordinator(...numbered(20).map((id) => pin(id)))],
    ['has the defaults of what it omits', members(), DEFAULTS],
    ['has the defaults for null', members({ subagents: null, workflows: null, advisor: null }), DEFAULTS],
    [
      'has the defaults within what it enables',
      members({
        subagents: { type: 'enabled' },
        workflows: { type: 'enabled', inline_agents: null, predefined_agents: null },
      }),
      DEFAULTS,
    ],
    [
      'has two lists, each with its own agents',
      members({
        subagents: enabled([SELF, 'agent_a'], 'disabled'),
        workflows: enabled(['agent_a', { type: 'agent', id: 'agent_b' }]),
        advisor: { type: 'enabled', model: 'claude-opus-5' },
      }),
      members({
        subagents: enabled([pin(OWN), pin('agent_a', 2)], 'disabled'),
        workflows: enabled([pin('agent_a', 2), pin('agent_b')]),
        advisor: { type: 'enabled', model: 'claude-opus-5' },
      }),
    ],
    [
      'may disable all',
      members({ subagents: DISABLED, workflows: DISABLED, advisor: DISABLED }),
      members({ subagents: DISABLED, workflows: DISABLED, advisor: DISABLED }),
    ],
    ['lists none', null, null],
  ])('%s', async (_what, multiagent, saved) => {
    expect(await created(multiagent)).toMatchObject({ version: 1, multiagent: saved });
  });

  const LISTS = 'multiagent.subagents.predefined_agents';
  it.each([
    ['no such agent', coordinator('agent_b', 'agent_nobody'), 'multiagent.agents.1: there is no such agent'],
    ['no such version', coordinator(pin('agent_b', 2)), 'multiagent.agents.0: there is no such agent'],
    ['an archived agent', coordinator('agent_gone'), 'multiagent.agents.0: the agent is archived'],
    ['a version of an archived agent', coordinator(pin('agent_gone')), 'multiagent.agents.0: the agent is archived'],
    [
      'an agent that lists agents',
      coordinator('agent_lead'),
      'multiagent.agents.0: the agent has a `multiagent` itself',
    ],
    ['an agent twice', coordinator('agent_b', pin('agent_b')), 'multiagent.agents.1: is the agent of an earlier entry'],
    ['two versions of an agent', coordinator('agent_a', pin('agent_a')), 'multiagent.agents.1: is the agent of an'],
    ['itself twice', coordinator(SELF, 'agent_b', SELF), 'multiagent.agents.2: is the agent of an earlier entry'],
    ['another place', coordinator('agent_b', 'agent_us'), 'multiagent.agents.1: the `inference_geo`'],
    [
      'the name of advisors',
      coordinator('agent_advisor'),
      'multiagent.agents.0: the agent has the name "anthropic.advisor"',
    ],
    ['no such subagent', members({ subagents: enabled(['agent_nobody']) }), `${LISTS}.0: there is no such agent`],
    ['a subagent twice', members({ subagents: enabled([SELF, SELF]) }), `${LISTS}.1: is the agent of an earlier entry`],
    ['a subagent of another place', members({ subagents: enabled(['agent_us']) }), `${LISTS}.0: the \`inference_geo\``],
    [
      'an archived agent of workflows',
      members({ workflows: enabled(['agent_gone']) }),
      'multiagent.workflows.predefined_agents.0: the agent is archived',
    ],
    [
      'subagents of no kind',
      members({ subagents: enabled([], 'disabled') }),
      `${LISTS}: must have an agent while inline_agents is disabled`,
    ],
    [
      'workflows of no kind',
      members({ workflows: { type: 'enabled', inline_agents: DISABLED } }),
      'multiagent.workflows.predefined_agents: must have an agent while inline_agents is disabled',
    ],
    [
      'a weaker advisor',
      coordinator({ type: 'advisor', model: 'claude-haiku-5-5' }),
      "multiagent: the advisor must be at least as capable as the agent's model, claude-sonnet-5",
    ],
    [
      'an older advisor',
      members({ advisor: { type: 'enabled', model: 'us.anthropic.claude-sonnet-4-6-v1:0' } }),
      'multiagent: the advisor must be at least as capable',
    ],
  ])('is refused with %s', async (_what, multiagent, message) => {
    expect(await created(multiagent)).toMatchObject({
      type: 'invalid_request_error',
      message: expect.stringContaining(message),
    });
  });

  const LARGE = { type: 'custom', name: 'b', description: 'x'.repeat(100_000), input_schema: { type: 'object' } };
  it.each([
    [
      'an advisor that may run elsewhere',
      coordinator({ type: 'advisor', model: 'claude-opus-4-5' }),
      { model: { id: 'claude-haiku-5-5', inference_geo: 'us' } },
      "multiagent: the advisor's model does not take `inference_geo`, which the agent's model has",
    ],
    [
      'more than a row takes',
      coordinator('agent_large', SELF),
      { tools: [LARGE] },
      'multiagent: the agent, with all agents that its `multiagent` lists, must take at most 340000 bytes',
    ],
    [
      'its own name',
      coordinator(SELF),
      { name: 'anthropic.advisor' },
      'multiagent.agents.0: the agent has the name "anthropic.advisor"',
    ],
  ])('is refused beside what it is, with %s', async (_what, multiagent, fields, message) => {
    expect(await created(multiagent, fields)).toMatchObject({ message: expect.stringContaining(message) });
    expect(await created(coordinator('agent_b'))).toMatchObject({ version: 1 });
  });

  it.each([
    [coordinator(), /^multiagent\.agents: must have at least 1 item/],
    [coordinator(...numbered(21)), /^multiagent\.agents: must have at most 20 item/],
    [coordinator(ADVISOR, 'agent_a', ADVISOR), /^multiagent\.agents: must have at most one advisor/],
    [coordinator('reviewer'), /^multiagent\.agents\.0: must be an id that starts with "agent_"/],
    [coordinator(7), /^multiagent\.agents\.0: must be a string, or must be an object/],
    [coordinator({ type: 'robot' }), /^multiagent\.agents\.0\.type: must be one of agent, self, advisor/],
    [coordinator({ type: 'agent' }), /^multiagent\.agents\.0\.id: is required/],
    [coordinator(pin('agent_a', 0)), /^multiagent\.agents\.0\.version: /],
    [coordinator({ type: 'self', id: 'agent_a' }), /^multiagent\.agents\.0\.id: is not a known field/],
    [coordinator({ type: 'advisor' }), /^multiagent\.agents\.0\.model: is required/],
    [{ agents: ['agent_a'] }, /^multiagent\.type: must be one of coordinator, multiagent_20261001/],
    [{ ...coordinator('agent_a'), subagents: null }, /^multiagent\.subagents: is not a known field/],
    [members({ agents: [] }), /^multiagent\.agents: is not a known field/],
    [members({ subagents: {} }), /^multiagent\.subagents\.type: must be one of enabled, disabled/],
    [
      members({ subagents: { ...DISABLED, predefined_agents: [] } }),
      /^multiagent\.subagents\.predefined_agents: is not a/,
    ],
    [
      members({ subagents: enabled([ADVISOR]) }),
      /^multiagent\.subagents\.predefined_agents\.0\.type: must be one of agent, self/,
    ],
    [
      members({ workflows: enabled(numbered(21)) }),
      /^multiagent\.workflows\.predefined_agents: must have at most 20 item/,
    ],
    [members({ workflows: { type: 'enabled', inline_agents: {} } }), /^multiagent\.workflows\.inline_agents\.type: /],
    [members({ advisor: { type: 'enabled' } }), /^multiagent\.advisor\.model: is required/],
    [
      members({ advisor: { ...DISABLED, model: 'claude-opus-5' } }),
      /^multiagent\.advisor\.model: is not a known field/,
    ],
    [[], /^multiagent: must be an object/],
  ])('cannot be %j', (multiagent, message) => {
    for (const schema of [AgentCreate.partial(), AgentUpdate]) {
      const parsed = schema.safeParse({ multiagent });
      expect(parsed.success ? 'accepted' : explain(parsed.error, 'body')).toMatch(message);
    }
  });
});

describe('an update', () => {
  const all = members({
    subagents: enabled(['agent_a'], 'disabled'),
    workflows: DISABLED,
    advisor: { type: 'enabled', model: 'claude-opus-5' },
  });
  const saved = {
    subagents: enabled([pin('agent_a', 2)], 'disabled'),
    workflows: DISABLED,
    advisor: { type: 'enabled', model: 'claude-opus-5' },
  };
  it.each([
    ['omits a member', { advisor: DISABLED }, { advisor: DISABLED }],
    ['nulls a member', { subagents: null }, { subagents: enabled() }],
    ['nulls an advisor', { advisor: null }, { advisor: DISABLED }],
    ['disables a member', { subagents: DISABLED }, { subagents: DISABLED }],
    ['enables a member, with its defaults', { workflows: { type: 'enabled' } }, { workflows: enabled() }],
    [
      'sets what is within a member, and keeps its list',
      { subagents: { type: 'enabled', inline_agents: { type: 'enabled' } } },
      { subagents: enabled([pin('agent_a', 2)]) },
    ],
    [
      'nulls what is within a member',
      { subagents: { type: 'enabled', inline_agents: null } },
      { subagents: enabled([pin('agent_a', 2)]) },
    ],
    [
      'replaces a list',
      { subagents: { type: 'enabled', predefined_agents: ['agent_b', SELF] } },
      { subagents: enabled([pin('agent_b'), pin(OWN, 2)], 'disabled') },
    ],
    [
      'nulls a list',
      { subagents: { type: 'enabled', inline_agents: { type: 'enabled' }, predefined_agents: null } },
      { subagents: enabled() },
    ],
    [
      'replaces the advisor',
      { advisor: { type: 'enabled', model: 'claude-opus-5-5' } },
      { advisor: { type: 'enabled', model: 'claude-opus-5-5' } },
    ],
  ])('of the newer form %s', async (_what, fields, changed) => {
    const [, second] = await history(all, { multiagent: members(fields) });
    expect(second).toEqual(expect.objectContaining({ version: 2, multiagent: members({ ...saved, ...changed }) }));
  });

  it.each([
    ['null', null, null],
    ['the older form', coordinator('agent_b'), coordinator(pin('agent_b'))],
  ])('replaces the newer form by %s', async (_what, multiagent, next) => {
    const [, second] = await history(all, { multiagent });
    expect(second?.multiagent).toEqual(next);
  });

  it('replaces the older form, also by the newer one', async () => {
    const [, second, third] = await history(
      coordinator('agent_a', ADVISOR),
      { multiagent: coordinator('agent_b') },
      { multiagent: members({ subagents: { type: 'enabled' } }) },
    );
    expect(second?.multiagent).toEqual(coordinator(pin('agent_b')));
    expect(third?.multiagent).toEqual(DEFAULTS);
  });

  it.each([
    [{}],
    [{ multiagent: members() }],
    [{ multiagent: members({ subagents: { type: 'enabled' } }) }],
    [{ multiagent: all }],
    [{ multiagent: members({ subagents: enabled([pin('agent_a', 2)], 'disabled'), workflows: DISABLED }) }],
  ])('to %j changes nothing', async (update) => {
    expect(await history(all, update)).toHaveLength(1);
  });

  it('that does not send a list keeps its versions, and its entry of the agent itself follows the agent', async () => {
    const list = coordinator(pin('agent_a', 1), SELF);
    const [first, second, third] = await history(list, { name: 'Bob' }, { multiagent: coordinator('agent_a', OWN) });
    expect(first?.multiagent).toEqual(coordinator(pin('agent_a', 1), pin(OWN, 1)));
    expect(second?.multiagent).toEqual(coordinator(pin('agent_a', 1), pin(OWN, 2)));
    expect(third?.multiagent).toEqual(coordinator(pin('agent_a', 2), pin(OWN, 3)));
    // What a client was answered can be sent again.
    expect(await updated([first as Agent, second as Agent], { multiagent: second?.multiagent })).toEqual(second);
  });

  it('may list an earlier version of the agent that lists none', async () => {
    const list = coordinator(pin(OWN, 1), 'agent_b');
    const versions = await history(null, { system: 'Second.' }, { multiagent: list }, { system: 'Fourth.' });
    expect(versions.at(-1)).toMatchObject({ version: 4, multiagent: coordinator(pin(OWN, 1), pin('agent_b')) });
    expect(await updated(versions, { multiagent: coordinator(pin(OWN, 3)) })).toMatchObject({
      message: expect.stringContaining('multiagent.agents.0: the agent has a `multiagent` itself'),
    });
  });

  it.each([
    [
      'an empty list beside no inline agents',
      { multiagent: members({ subagents: { type: 'enabled', predefined_agents: [] } }) },
      /^multiagent\.subagents\.predefined_agents: must have/,
    ],
    ['a model that is above the advisor', { model: 'claude-fable-5' }, /^multiagent: the advisor must be/],
    [
      'a model at another place',
      { model: { id: 'claude-sonnet-5', inference_geo: 'us' } },
      /^multiagent\.subagents\.predefined_agents\.0: the `inference_geo`/,
    ],
    [
      'an unknown agent',
      { multiagent: members({ workflows: enabled(['agent_nobody']) }) },
      /^multiagent\.workflows\.predefined_agents\.0: there is/,
    ],
  ])('is judged with what it keeps: %s', async (_what, update, message) => {
    expect(await updated(await history(all), update)).toMatchObject({ message: expect.stringMatching(message) });
  });

  it('keeps an agent that was archived since, and cannot list it anew', async () => {
    const gone = Agent.parse({ ...agent(OWN), multiagent: coordinator(pin('agent_gone')) });
    expect(await updated([gone], { name: 'Bob' })).toMatchObject({
      version: 2,
      multiagent: coordinator(pin('agent_gone')),
    });
    expect(await updated([gone], { multiagent: coordinator('agent_gone') })).toMatchObject({ status: 'refused' });
  });

  it('reads its own agent no second time, which another request may have changed since', async () => {
    const nothing = agents([]);
    for (const own of [SELF, OWN, pin(OWN, 1)]) {
      const { multiagent } = AgentUpdate.parse({ multiagent: coordinator(own) });
      const listing = await listingOf(nothing, { workspace: WORKSPACE, agent: agent(OWN) }, multiagent);
      expect(listing).toMatchObject({ multiagent: coordinator(pin(OWN, 1)) });
    }
  });

  it('may not give the name of advisors to an agent that lists itself', async () => {
    const versions = await history(coordinator(SELF));
    expect(await updated(versions, { name: 'anthropic.advisor' })).toMatchObject({ status: 'refused' });
  });
});

describe('any setting of the newer form', () => {
  const entry = fc.constantFrom<unknown>(
    'agent_a',
    'agent_b',
    pin('agent_a', 1),
    pin('agent_lead', 1),
    SELF,
    'agent_n0',
  );
  const inline = fc.constantFrom(undefined, null, { type: 'enabled' }, DISABLED);
  const list = fc.oneof(fc.constantFrom(undefined, null), fc.array(entry, { maxLength: 3 }));
  const spawning = fc.oneof(
    fc.constantFrom(undefined, null, DISABLED),
    fc
      .record({ inline_agents: inline, predefined_agents: list })
      .map((fields) => JSON.parse(JSON.stringify({ type: 'enabled', ...fields }))),
  );
  const advisor = fc.constantFrom(undefined, null, DISABLED, { type: 'enabled', model: 'claude-opus-5' });
  const setting = fc
    .record({ subagents: spawning, workflows: spawning, advisor })
    .map((fields) => members(JSON.parse(JSON.stringify(fields))));

  it('is kept when it is sent again, or as it was answered', async () => {
    await fc.assert(
      fc.asyncProperty(setting, fc.array(setting, { maxLength: 3 }), async (first, updates) => {
        const made = await created(first);
        if (isRefusal(made)) return;
        const versions = [made];
        for (const multiagent of updates) {
          const next = await updated(versions, { multiagent });
          if (isRefusal(next)) continue;
          if (next.version > versions.length) versions.push(next);
          // It is complete, and no list is empty without inline agents.
          expect(MultiagentInput.safeParse(next.multiagent).success).toBe(true);
          for (const again of [multiagent, next.multiagent, members()]) {
            expect(await updated(versions, { multiagent: again })).toEqual(next);
          }
        }
      }),
      { numRuns: propertyRuns(400) },
    );
  });
});

describe('the agent of a session', () => {
  const WITH_TOOLS = { type: 'custom', name: 'ask', description: 'Asks.', input_schema: { type: 'object' } };

  it('has the definitions of the agents that it lists, at their versions', async () => {
    const [saved] = await history(
      members({ subagents: enabled([pin('agent_a', 1)]), workflows: enabled(['agent_b']) }),
    );
    const { multiagent } = await sessionAgent(saved as Agent);
    expect(multiagent).toMatchObject({
      subagents: { predefined_agents: [{ ...pin('agent_a', 1), name: 'agent_a', system: null, tools: [] }] },
      workflows: { predefined_agents: [{ ...pin('agent_b'), name: 'agent_b' }] },
    });
    expect(JSON.stringify(multiagent)).not.toMatch(/metadata|created_at|archived_at/);
  });

  it('lists a copy of itself as the session has it', async () => {
    const [saved] = await history(coordinator(SELF, 'agent_a', ADVISOR));
    const own = await sessionAgent(saved as Agent);
    const { multiagent: _multiagent, ...alone } = own;
    expect(own.multiagent).toMatchObject({ agents: [alone, pin('agent_a', 2), ADVISOR] });
    const overrides = AgentOverrides.parse({ system: 'Here.', model: 'claude-opus-5', tools: [WITH_TOOLS] });
    const overridden = accepted(overrideAgent(own, overrides));
    expect(overridden.multiagent).toMatchObject({
      agents: [
        { system: 'Here.', model: { id: 'claude-opus-5' }, tools: [WITH_TOOLS] },
        { system: 'Second.', tools: [] },
        ADVISOR,
      ],
    });
    const changed = accepted(replaceTools(overridden, { tools: [] }));
    expect(changed.multiagent).toMatchObject({ agents: [{ system: 'Here.', tools: [] }, {}, {}] });
    expect(SessionAgent.parse(changed)).toEqual(changed);
  });

  it('has an earlier version of itself as that was', async () => {
    const versions = await history(null, { system: 'Second.' }, { multiagent: coordinator(pin(OWN, 1)) });
    const own = await sessionAgent(versions[2] as Agent, versions);
    expect(own).toMatchObject({
      version: 3,
      system: 'Second.',
      multiagent: { agents: [{ version: 1, system: null }] },
    });
    const overridden = accepted(overrideAgent(own, AgentOverrides.parse({ system: 'Here.' })));
    expect(overridden.multiagent).toMatchObject({ agents: [{ version: 1, system: null }] });
  });

  it.each([
    [
      'the place of its model',
      { model: { id: 'claude-sonnet-5', inference_geo: 'us' } },
      /^agent\.multiagent\.agents\.0: the `inf/,
    ],
    ['a model above its advisor', { model: 'claude-mythos-5' }, /^agent\.multiagent: the advisor must be/],
    [
      'tools that make it too large with its copy',
      { tools: [{ ...WITH_TOOLS, description: 'x'.repeat(180_000) }] },
      /^agent: the agent, with all agents that its `multiagent` lists, must take/,
    ],
  ])('may not override %s', async (_what, overrides, message) => {
    const [saved] = await history(coordinator('agent_a', SELF, ADVISOR));
    expect(overrideAgent(await sessionAgent(saved as Agent), AgentOverrides.parse(overrides))).toMatchObject({
      message: expect.stringMatching(message),
    });
  });
});

function numbered(count: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => `agent_n${at}`);
}
