/** Threads of one session: what one log tells of another, and what the client sees of both. */
import { describe, expect, it } from 'vitest';
import { recordIn } from '#contract/entries.ts';
import type { EventInput, SessionEvent } from '#contract/events.ts';
import type { EventId, ThreadId } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import type { ModelAnswer } from '#core/ports/model.ts';
import { closeForDeletion } from '#core/session/close-for-deletion.ts';
import { sessionUsage } from '#core/session/usage.ts';
import { sessionStatus } from '#core/session/waiting.ts';
import { rosterOf } from '#core/tools/roster.ts';
import { KEY, answer, FULL, outline, says } from '#test/functions/core/given.ts';
import { outcome, verdict } from '#test/functions/core/outcomes.ts';
import { expectAgreement } from '#test/functions/core/team-agreement.ts';
import {
  asks,
  calls,
  COORDINATOR,
  createTeamStage,
  follows,
  text,
  type Execution,
  type TeamStage,
} from '#test/functions/core/team-stage.ts';

const PRIMARY = KEY.thread;
const interrupt = (thread?: ThreadId): EventInput => ({
  type: 'user.interrupt',
  ...(thread === undefined ? {} : { session_thread_id: thread }),
});
const told = (call: EventId): EventInput => ({
  type: 'user.custom_tool_result',
  custom_tool_use_id: call,
  content: [{ type: 'text', text: 'sunny' }],
});
const question = ['ask_advisor', { question: 'How?' }] as const;
const allowed = (call: EventId): EventInput => ({ type: 'user.tool_confirmation', tool_use_id: call, result: 'allow' });

/** The primary agent has asked these agents, and has ended its turn. */
async function team(...agents: readonly string[]): Promise<TeamStage> {
  const stage = await createTeamStage([says('hi')]);
  await stage.says(PRIMARY, calls(...agents.map((name) => asks(name))), text('They work.'));
  return stage;
}

function executionOf(stage: TeamStage, thread: ThreadId): Execution {
  return stage.live().find((live) => live.thread === thread) ?? expect.fail('no execution');
}

function child(stage: TeamStage, index = 0): ThreadId {
  return stage.children()[index] ?? expect.fail(`no child ${index}`);
}

/** What a step appends to the primary thread's log, or to another. */
async function appended(stage: TeamStage, step: () => Promise<unknown>, thread: ThreadId = PRIMARY) {
  const before = stage.entries(thread).length;
  await step();
  return stage.entries(thread).slice(before);
}

const IDLE = ['session.thread_status_idle', 'session.usage', 'session.status_idle'];
const RUNNING = ['session.status_running', 'session.thread_status_running'];

function reports(stage: TeamStage): readonly string[] {
  return stage
    .events()
    .flatMap((event) =>
      event.type === 'agent.thread_message_received' ? event.content.map((block) => block.text) : [],
    );
}

const last = <Type extends SessionEvent['type']>(stage: TeamStage, type: Type, thread: ThreadId = PRIMARY) =>
  (stage.events(thread).findLast((event) => event.type === type) ?? expect.fail(`no ${type}`)) as Extract<
    SessionEvent,
    { type: Type }
  >;

/** Events of a child that the session's stream tells, as both streams have them. */
function copies(stage: TeamStage, thread: ThreadId) {
  const ids = new Set<string>(stage.events(thread).map(({ id }) => id));
  const copied = stage.events().filter(({ id }) => ids.has(id));
  return { copied, originals: stage.events(thread).filter(({ id }) => copied.some((event) => event.id === id)) };
}

async function asked(...names: readonly string[]): Promise<{ stage: TeamStage; thread: ThreadId; ids: EventId[] }> {
  const stage = await team('ann');
  const thread = child(stage);
  await stage.says(thread, calls(...names.map((name) => [name] as const)));
  return { stage, thread, ids: (await stage.state(thread)).calls.map(({ id }) => id) };
}

describe('a list of agents and threads', () => {
  const listed = (stage: TeamStage) => {
    const record = stage
      .entries()
      .map(recordIn)
      .findLast((one) => one?.kind === 'call.answered' && one.text.startsWith('Agents'));
    return record?.kind === 'call.answered' ? record.text.split('\n\n')[1]?.split('\n') : undefined;
  };

  it('holds the threads that its own answer begins, and the statuses that follow from it', async () => {
    const stage = await createTeamStage([says('hi')]);
    await stage.says(PRIMARY, calls(['list_agents']));
    expect(listed(stage)).toEqual(['No thread has begun yet.']);
    await stage.says(PRIMARY, calls(asks('ann'), asks('bob')));
    await stage.says(child(stage), text('Done.'));
    await stage.says(PRIMARY, calls(['list_agents'], follows(child(stage)), asks('bob'), question));
    const [ann, bob, again, advisor] = stage.children();
    expect(listed(stage)).toEqual([
      'Threads, the newest first:',
      `- ${advisor}: "anthropic.advisor", running`,
      `- ${again}: "bob", running`,
      `- ${bob}: "bob", running`,
      `- ${ann}: "ann", running`,
    ]);
  });
});

describe('a delegation', () => {
  it('begins a child with the answer that makes it, and tells both streams in the order of the API', async () => {
    const stage = await createTeamStage([says('hi')]);
    const entries = await appended(stage, () => stage.says(PRIMARY, calls(asks('ann', 'Look.'), ['bash'])));
    expect(outline(entries)).toEqual([
      ...['user.message', 'span.model_request_start', '[model.claimed]', '[model.answered]', 'agent.tool_use'],
      ...['span.model_request_end', 'session.thread_created', 'agent.thread_message_sent'],
      ...['session.thread_status_running', '[call.answered]'],
    ]);
    const thread = child(stage);
    expect(outline(stage.entries(thread))).toEqual([
      '[session.created]',
      'agent.thread_message_received',
      'session.thread_status_running',
    ]);
    const named = { session_thread_id: thread, agent_name: 'ann' };
    expect(stage.events().slice(-3)).toMatchObject([
      { type: 'session.thread_created', ...named, workflow_run_id: null },
      { to_session_thread_id: thread, to_agent_name: 'ann', content: [{ type: 'text', text: 'Look.' }] },
      { type: 'session.thread_status_running', ...named },
    ]);
    const [received] = stage.events(thread);
    expect(received).toMatchObject({ from_session_thread_id: PRIMARY, content: [{ type: 'text', text: 'Look.' }] });
    expect(received).not.toHaveProperty('from_agent_name');
    expect((await stage.state()).team?.busy).toEqual([{ thread, status: 'running', calls: [] }]);
    expect(stage.executions.map((execution) => execution.thread)).toEqual([PRIMARY, thread]);
  });

  it('lets the model read the call’s result, and the report as a message of the agent', async () => {
    const stage = await team('ann');
    await stage.says(child(stage), text('All is well.'));
    await stage.turn(stage.live()[0] ?? expect.fail('the primary thread rests'));
    const request = JSON.stringify(stage.requests.at(-1)?.request.messages);
    expect(request).toContain(`has begun to work in thread ${child(stage)}`);
    expect(request).toContain('All is well.');
    expect(request).toContain('\\"ann\\"');
  });

  const inline = ['start_new_agent', { name: 'cleo', instructions: 'You are cleo.', message: 'Count.' }] as const;
  it.each([
    { of: 'a listed agent', asked: [asks('ann', 'Read a.'), asks('ann', 'Read b.')], begun: 2 },
    { of: 'a listed agent, beside another', asked: [asks('ann'), asks('bob'), asks('ann', 'And b.')], begun: 2 },
    { of: 'an agent that the model defines twice', asked: [inline, inline], begun: 2 },
  ])('has the same bytes before its task as others of its definition, for the cache: $of', async ({ asked, begun }) => {
    const { multiagent: _listed, ...agent } = COORDINATOR;
    const multiagent = {
      type: 'multiagent_20261001',
      subagents: {
        type: 'enabled',
        inline_agents: { type: 'enabled' },
        predefined_agents: rosterOf(COORDINATOR).agents.map((member) => member.agent),
      },
      workflows: { type: 'disabled' },
      advisor: { type: 'disabled' },
    } as const;
    const stage = await createTeamStage([says('hi')], { agent: { ...agent, multiagent } });
    await stage.says(PRIMARY, calls(...asked));
    const prefixes = new Map<string, string[]>();
    for (const thread of stage.children()) {
      await stage.says(thread, calls(['bash']));
      for (const { request } of stage.requests.filter((made) => made.thread === thread)) {
        const { messages: _messages, ...prefix } = request;
        const { agentName } = await stage.state(thread);
        prefixes.set(agentName, [...(prefixes.get(agentName) ?? []), JSON.stringify(prefix)]);
      }
    }
    const [same = []] = prefixes.values();
    expect(same).toHaveLength(begun);
    expect(new Set(same).size).toBe(1);
    expect(same[0]).toMatch(/"model":.*cache_control/);
    // Other definitions have other prefixes.
    expect(new Set([...prefixes.values()].flat()).size).toBe(prefixes.size);
  });

  it('of a 26th child at once is an answer to the model', async () => {
    const stage = await createTeamStage([says('hi')]);
    await stage.says(PRIMARY, calls(...Array.from({ length: 26 }, () => asks('ann'))));
    expect(stage.children()).toHaveLength(25);
    expect((await stage.state()).team?.busy).toHaveLength(25);
    expect((await stage.state()).status).toBe('running');
    const results = stage
      .entries()
      .flatMap((entry) => ('record' in entry && 'isError' in entry.record ? [entry.record] : []));
    expect(results.map(({ isError }) => isError)).toEqual([...Array.from({ length: 25 }, () => false), true]);
    await stage.says(child(stage, 7), text('Done.'));
    await stage.says(PRIMARY, calls(asks('bob')));
    expect(stage.children()).toHaveLength(26);
  });

  it('of all that a session may do at once is interrupted in one append', async () => {
    const stage = await createTeamStage([says('hi')]);
    const questions = Array.from({ length: 6 }, () => question);
    await stage.says(PRIMARY, calls(...Array.from({ length: 25 }, () => asks('ann')), ...questions));
    expect(stage.children()).toHaveLength(30);
    expect(JSON.stringify(stage.entries())).toContain('5 questions wait for the advisor');
    await stage.send([interrupt()]);
    expect(stage.names.at(-1)).toBe('append to 31');
    expect(sessionStatus(await stage.state())).toBe('idle');
    expect(reports(stage)).toHaveLength(30);
  });

  it('finds a place while the advisor is asked, which takes none', async () => {
    const stage = await createTeamStage([says('hi')]);
    await stage.says(PRIMARY, calls(question, ...Array.from({ length: 25 }, () => asks('ann'))));
    expect(stage.children()).toHaveLength(26);
    await stage.says(child(stage, 1), text('Done.'));
    await stage.says(PRIMARY, calls(follows(child(stage, 1)), asks('bob')));
    expect(stage.children()).toHaveLength(26);
    expect((await stage.state(child(stage, 1))).status).toBe('running');
  });

  it.each([
    ['an agent that is not listed', ['send_to_agent', { agent: 'eve', message: 'Hi.' }], 'eve'],
    ['neither agent nor thread', ['send_to_agent', { message: 'Hi.' }], 'either'],
    ['both', ['send_to_agent', { agent: 'ann', thread_id: 'sthr_9', message: 'Hi.' }], 'either'],
    ['a thread that does not exist', ['send_to_agent', { thread_id: 'sthr_9', message: 'Hi.' }], 'sthr_9'],
    ['the primary thread', ['send_to_agent', { thread_id: 'sthr_1', message: 'Hi.' }], 'sthr_1'],
    ['no message', ['send_to_agent', { agent: 'ann' }], 'message'],
    ['an empty message', ['send_to_agent', { agent: 'ann', message: ' ' }], 'message'],
    ['a thread without a report', ['read_report', { thread_id: 'sthr_9' }], 'sthr_9'],
    ['a wait for nobody', ['wait_for_report'], 'No agent'],
    ['an agent of its own', ['start_new_agent', { name: 'eve', instructions: 'x', message: 'y' }], 'start_new_agent'],
  ] as const)('that names %s is answered with what is wrong', async (_what, call, says_) => {
    const stage = await createTeamStage([says('hi')]);
    await stage.says(PRIMARY, calls(call));
    expect(stage.children()).toEqual([]);
    expect((await stage.state()).status).toBe('running');
    await stage.turn(stage.live()[0] ?? expect.fail('the agent does not read why'));
    const results = JSON.stringify(stage.requests.at(-1)?.request.messages.at(-1));
    expect(results).toContain('"is_error":true');
    expect(results).toContain(says_);
  });
});

describe('what the session’s stream tells of a child', () => {
  it('is what the child’s own stream has, with the same ids, and the thread only on copies of calls', async () => {
    const { stage, thread, ids } = await asked('bash', 'read', 'weather');
    const hand = stage.live().find((live) => live.thread === thread) ?? expect.fail('no execution');
    await stage.useHand(hand, hand.hands[0] ?? expect.fail('no call for a hand'));
    await stage.turn(hand);
    const [, read, weather] = ids;
    await stage.send([told(weather ?? expect.fail())]);
    await stage.send([allowed(read ?? expect.fail())]);
    const again = stage.live().find((live) => live.thread === thread) ?? expect.fail('no execution');
    await stage.turn(again);
    await stage.useHand(again, again.hands[0] ?? expect.fail('no call for a hand'));
    await stage.says(thread, new Fault('model_overloaded', 'busy'), text('Secret thoughts.'));
    const { copied, originals } = copies(stage, thread);
    expect(copied.map(({ type }) => type)).toEqual([
      'session.thread_status_running',
      'agent.tool_use',
      'agent.custom_tool_use',
      'session.thread_status_idle',
      'user.custom_tool_result',
      'session.thread_status_idle',
      'user.tool_confirmation',
      'user.tool_confirmation',
      'session.thread_status_running',
      'session.error',
      'session.thread_status_rescheduled',
      'session.thread_status_running',
      'session.thread_status_idle',
    ]);
    expect(originals).toHaveLength(copied.length);
    for (const [index, copy] of copied.entries()) {
      if (copy.type.startsWith('session.')) expect(copy).toEqual(originals[index]);
      else expect(copy).toEqual({ ...originals[index], session_thread_id: thread });
      if (!copy.type.startsWith('session.')) expect(originals[index]).not.toHaveProperty('session_thread_id');
    }
    const own = new Set(['agent.message', 'agent.tool_result', 'span.model_request_start']);
    expect(stage.events(thread).filter(({ type }) => own.has(type))).not.toEqual([]);
  });
});

describe('a call of a child that its hand gives back until a person has consented', () => {
  it('is told once, before the error with the link, and is what the session waits for', async () => {
    const stage = await team('ann');
    const thread = child(stage);
    await stage.says(thread, calls(['bash']));
    const at = () => stage.live().find((live) => live.thread === thread) ?? expect.fail('no execution');
    const hand = at().hands[0] ?? expect.fail('no call for a hand');
    const entries = await appended(stage, () => stage.suspend(at(), hand));
    expect(outline(entries)).toEqual(['agent.tool_use', 'session.error']);
    expect(entries[0]).toMatchObject({ event: { id: hand.id, name: 'bash', session_thread_id: thread } });
    await stage.turn(at());
    expect(last(stage, 'session.status_idle').stop_reason).toEqual({ type: 'requires_action', event_ids: [hand.id] });
    expect(outline(await appended(stage, () => stage.resume(thread, hand.id)))).toEqual(RUNNING);
    await stage.turn(at());
    const again = await appended(stage, () => stage.suspend(at(), at().hands[0] ?? expect.fail('no call')));
    expect(outline(again)).toEqual(['session.error']);
    await expectAgreement(stage);
  });
});

describe('a report', () => {
  it('wakes an idle primary agent, in the append that ends the child’s turn', async () => {
    const stage = await team('ann');
    expect((await stage.state()).status).toBe('idle');
    const entries = await appended(stage, () => stage.says(child(stage), text('All is well.')));
    expect(outline(entries)).toEqual([
      '[thread.used]',
      'session.thread_status_idle',
      'agent.thread_message_received',
      'session.thread_status_running',
    ]);
    expect(last(stage, 'agent.thread_message_received')).toMatchObject({
      from_session_thread_id: child(stage),
      from_agent_name: 'ann',
      content: [{ type: 'text', text: 'All is well.' }],
    });
    expect(stage.live()).toMatchObject([{ thread: PRIMARY, run: 2 }]);
    expect(outline(await appended(stage, () => stage.says(PRIMARY, text('Good.')))).slice(-3)).toEqual(IDLE);
  });

  it('waits for a primary agent that works', async () => {
    const stage = await createTeamStage([says('hi')]);
    await stage.says(PRIMARY, calls(asks('ann')));
    await stage.turn(stage.live()[0] ?? expect.fail('no execution'));
    await stage.says(child(stage), text('All is well.'));
    expect((await stage.state()).queued).toHaveLength(1);
    // The answer under way was given without the report, so the turn goes on.
    await stage.says(PRIMARY, text('Waiting.'));
    expect((await stage.state()).status).toBe('running');
    await stage.says(PRIMARY, text('Good.'));
    expect(JSON.stringify(stage.requests.at(-1)?.request)).toContain('All is well.');
    expect(sessionStatus(await stage.state())).toBe('idle');
  });

  it('is what ends a wait for it, while the session runs on', async () => {
    const stage = await createTeamStage([says('hi')]);
    const entries = await appended(stage, () => stage.says(PRIMARY, calls(['wait_for_report'], asks('ann'))));
    expect(outline(entries).slice(-1)).toEqual(['session.thread_status_idle']);
    expect((await stage.state()).status).toBe('idle');
    expect(sessionStatus(await stage.state())).toBe('running');
    await stage.says(child(stage), text('All is well.'));
    await stage.turn(stage.live()[0] ?? expect.fail('the primary agent sleeps on'));
    expect(JSON.stringify(stage.requests.at(-1)?.request)).toContain('All is well.');
  });

  it('that came before the wait is read at once', async () => {
    const stage = await createTeamStage([says('hi')]);
    await stage.says(PRIMARY, calls(asks('ann'), asks('bob')));
    await stage.turn(stage.live()[0] ?? expect.fail('no execution'));
    await stage.says(child(stage), text('All is well.'));
    await stage.says(PRIMARY, calls(['wait_for_report']));
    expect((await stage.state()).status).toBe('running');
  });

  it('says why a child could not finish', async () => {
    const stage = await team('ann');
    await stage.says(child(stage), new Fault('model_refused_request', 'no'));
    await stage.says(PRIMARY, calls(asks('bob')), text('On.'));
    await stage.says(child(stage, 1), answer({ stopReason: 'refusal', blocks: [] }));
    expect(reports(stage)).toEqual([
      expect.stringContaining('could not finish its work'),
      'The model of this agent refused to go on.',
    ]);
  });

  it.each([
    ['rounds', 'the agent used tools too many times in one turn'],
    ['compactions', 'the context was summarised several times in a row and is full again'],
  ] as const)('is the last one of a child that reached the limit of %s', async (cause, why) => {
    const stage = await team('ann', 'bob');
    const thread = child(stage);
    const entries = await appended(stage, () => stage.change(thread, { do: 'give up', cause, taken: [] }));
    expect(outline(entries)).toEqual([
      'session.thread_status_idle',
      'session.thread_status_terminated',
      'agent.thread_message_received',
      'session.thread_status_running',
    ]);
    expect(last(stage, 'session.thread_status_idle').stop_reason).toEqual({ type: 'retries_exhausted' });
    expect(reports(stage)).toEqual([`This agent could not finish its work. ${why}`]);
    await stage.says(PRIMARY, calls(follows(thread)));
    expect(JSON.stringify(stage.entries().at(-1))).toContain('has ended: begin another one');
    expect(await stage.state(thread)).toMatchObject({ status: 'terminated', run: 1 });
    expect((await stage.state()).team?.busy).toMatchObject([{ thread: child(stage, 1) }]);
  });

  it.each(['rounds', 'compactions', 'attempts'] as const)('is of an advisor that ends once: %s', async (cause) => {
    const stage = await createTeamStage([says('hi')]);
    await stage.says(PRIMARY, calls(question));
    await stage.change(child(stage), { do: 'give up', cause, taken: [] });
    expect(outline(stage.entries()).filter((type) => type === 'session.thread_status_terminated')).toHaveLength(1);
  });

  it('is cut when it is long, and is there when the child says nothing', async () => {
    const stage = await team('ann', 'bob');
    await stage.says(child(stage), text('😀'.repeat(50_000)));
    await stage.says(child(stage, 1), answer({ blocks: [] }));
    const [long = '', none] = reports(stage);
    expect(long.length).toBeLessThan(50_100);
    expect(long.isWellFormed()).toBe(true);
    expect(none).toBe('This agent ended its work without a message.');
  });

  it('holds the last message also when programs of the child are waited for first', async () => {
    const stage = await team('ann');
    const thread = child(stage);
    await stage.says(thread, calls(['bash']));
    const execution = stage.live().find((live) => live.thread === thread) ?? expect.fail('no execution');
    await stage.useHand(execution, execution.hands[0] ?? expect.fail('no hand'), { programsLive: true });
    await stage.says(thread, text('It runs.'));
    expect(reports(stage)).toEqual([]);
    expect((await stage.state(thread)).ending).toBeDefined();
    await stage.harvest(execution);
    await stage.turn(execution);
    expect(reports(stage)).toEqual(['It runs.']);
    expect((await stage.state(thread)).status).toBe('idle');
  });

  it('stays in the queue of a primary agent whose turn is exhausted, and begins no run by itself', async () => {
    const stage = await createTeamStage([says('hi')]);
    await stage.says(PRIMARY, calls(asks('ann')));
    const execution = stage.live()[0] ?? expect.fail('no execution');
    await stage.says(child(stage), text('All is well.'));
    await stage.change(PRIMARY, { do: 'give up', cause: 'attempts', taken: [] });
    await stage.lose(execution);
    expect(await stage.state()).toMatchObject({ status: 'idle', queued: [{ isQuiet: true }] });
    await stage.send([says('go on')]);
    await stage.turn(stage.live()[0] ?? expect.fail('no execution'));
    expect(JSON.stringify(stage.requests.at(-1)?.request)).toContain('All is well.');
  });

  it('that waits is in the context after a compaction', async () => {
    const stage = await createTeamStage([says('hi')]);
    await stage.says(PRIMARY, calls(asks('ann')));
    await stage.says(PRIMARY, { ...calls(asks('bob')), usage: FULL });
    const execution = stage.live()[0] ?? expect.fail('no execution');
    await stage.turn(execution);
    const { request } = await stage.state();
    await stage.says(child(stage), text('All is well.'));
    await stage.hear(execution, text('<summary>They greeted.</summary>'));
    expect(await stage.state()).toMatchObject({ compactions: 1, queued: [{ type: 'agent.thread_message_received' }] });
    expect(request).not.toBeNull();
    await stage.turn(execution);
    const asked = JSON.stringify(stage.requests.at(-1)?.request);
    expect(asked).toContain('They greeted.');
    expect(asked).toContain('All is well.');
    await stage.hear(execution, text('Good.'));
    await stage.says(child(stage, 1), text('Me too.'));
    await stage.turn(stage.live()[0] ?? expect.fail('no execution'));
    expect(JSON.stringify(stage.requests.at(-1)?.request)).toContain('All is well.');
  });
});

describe('calls of a child that wait for the client', () => {
  it('make the session require an action when nothing else works, and are answered by their ids', async () => {
    const { stage, thread, ids } = await asked('weather', 'read');
    const [weather = expect.fail(), read = expect.fail()] = ids;
    expect(sessionStatus(await stage.state())).toBe('idle');
    expect(last(stage, 'session.status_idle').stop_reason).toEqual({ type: 'requires_action', event_ids: ids });
    const first = await appended(stage, () => stage.send([told(weather)]));
    expect(outline(first)).toEqual(['user.custom_tool_result', 'session.thread_status_idle', ...IDLE.slice(1)]);
    expect(last(stage, 'session.status_idle').stop_reason).toEqual({ type: 'requires_action', event_ids: [read] });
    expect((await stage.send([told(weather)])) as object).toMatchObject({ status: 'refused' });
    const second = await appended(stage, () => stage.send([allowed(read)]));
    expect(outline(second)).toEqual(['user.tool_confirmation', 'user.tool_confirmation', ...RUNNING]);
    expect((await stage.state(thread)).status).toBe('running');
    expect(reports(stage)).toEqual([]);
  });

  it('of several children are all named, and each answer leaves the others', async () => {
    const stage = await team('ann', 'bob');
    await stage.says(child(stage), calls(['weather']));
    expect(sessionStatus(await stage.state())).toBe('running');
    await stage.says(child(stage, 1), calls(['weather'], ['weather']));
    const [one = expect.fail()] = (await stage.state(child(stage))).calls;
    const [two = expect.fail(), three = expect.fail()] = (await stage.state(child(stage, 1))).calls;
    const required = () => last(stage, 'session.status_idle').stop_reason;
    expect(required()).toEqual({ type: 'requires_action', event_ids: [one.id, two.id, three.id] });
    await stage.send([told(two.id)]);
    expect((required() as { event_ids: EventId[] }).event_ids.toSorted()).toEqual([one.id, three.id].toSorted());
    await stage.send([told(three.id)]);
    await stage.says(child(stage, 1), text('Bob is done.'));
    await stage.says(PRIMARY, text('Wait for Ann.'));
    expect(required()).toEqual({ type: 'requires_action', event_ids: [one.id] });
  });

  it('keep the client’s messages out only while nothing works', async () => {
    const stage = await team('ann', 'bob');
    await stage.says(child(stage), calls(['weather']));
    expect(await stage.send([says('more')])).toMatchObject({ status: 'accepted' });
    await stage.says(PRIMARY, text('Yes.'));
    await stage.says(child(stage, 1), text('Bob is done.'));
    await stage.says(PRIMARY, text('Wait for Ann.'));
    expect(await stage.send([says('more')])).toMatchObject({ status: 'refused' });
    const [call = expect.fail()] = (await stage.state(child(stage))).calls;
    expect(await stage.send([told(call.id), says('more')])).toMatchObject({ status: 'accepted' });
  });

  it('are refused with another thread’s id, and accepted with their own', async () => {
    const { stage, thread, ids } = await asked('weather');
    const [weather = expect.fail()] = ids;
    for (const named of [PRIMARY, 'sthr_9' as ThreadId]) {
      const result = { ...told(weather), session_thread_id: named } as EventInput;
      expect(await stage.send([result])).toMatchObject({ status: 'refused', field: 'events.0.session_thread_id' });
    }
    const result = { ...told(weather), session_thread_id: thread } as EventInput;
    expect(await stage.send([result])).toMatchObject({ status: 'accepted' });
  });

  it('that are all answered in one request run the child on', async () => {
    const { stage, thread, ids } = await asked('weather', 'weather');
    await stage.send(ids.map(told));
    expect((await stage.state(thread)).status).toBe('running');
    expect(sessionStatus(await stage.state())).toBe('running');
    expect(outline(stage.entries()).filter((type) => type === 'user.custom_tool_result')).toHaveLength(2);
  });
});

describe('an interrupt', () => {
  it('of the session ends all threads, and their reports wait for the user', async () => {
    const stage = await team('ann', 'bob');
    await stage.says(child(stage), calls(['weather']));
    await stage.turn(stage.live().find(({ thread }) => thread === child(stage, 1)) ?? expect.fail('no execution'));
    const entries = await appended(stage, () => stage.send([interrupt()]));
    expect(outline(entries)).toEqual([
      ...['session.thread_status_idle', 'agent.thread_message_received'],
      ...['user.custom_tool_result', 'session.thread_status_idle', 'agent.thread_message_received'],
      ...['user.interrupt', 'user.interrupt', 'session.usage', 'session.status_idle'],
    ]);
    expect(last(stage, 'session.status_idle').stop_reason).toEqual({ type: 'end_turn' });
    for (const thread of stage.threads) expect((await stage.state(thread)).status).toBe('idle');
    expect(outline(stage.entries(child(stage, 1)))).toContain('user.interrupt');
    expect(reports(stage)).toEqual(Array.from({ length: 2 }, () => expect.stringContaining('interrupted')));
    expect((await stage.state()).queued).toMatchObject([{ isQuiet: true }, { isQuiet: true }]);
    await stage.send([says('go on')]);
    await stage.turn(stage.live().find(({ thread }) => thread === PRIMARY) ?? expect.fail('no execution'));
    expect(JSON.stringify(stage.requests.at(-1)?.request).match(/interrupted this agent/g)).toHaveLength(2);
  });

  type Step = (stage: TeamStage, thread: ThreadId) => Promise<unknown>;
  const hears: (said: ModelAnswer | Fault) => Step = (said) => (stage, thread) =>
    stage.hear(executionOf(stage, thread), said);
  const thinks: Step = (stage, thread) => stage.turn(executionOf(stage, thread));
  const waits: Step = (stage, thread) => stage.says(thread, calls(['weather']));
  const isAnswered: Step = async (stage, thread) => {
    const [call = expect.fail()] = (await stage.state(thread)).calls;
    await stage.send([told(call.id)]);
  };
  it.each<[what: string, before: Step, move: Step, ends: 'user.interrupt' | 'a report' | 'its archive']>([
    ['asks its model', async () => undefined, thinks, 'user.interrupt'],
    ['gives a hand a call', thinks, hears(calls(['bash'])), 'user.interrupt'],
    ['asks the client', thinks, hears(calls(['weather'])), 'user.interrupt'],
    ['fails for now', thinks, hears(new Fault('model_overloaded', 'busy')), 'user.interrupt'],
    ['is answered', waits, isAnswered, 'user.interrupt'],
    ['reports', thinks, hears(text('Done.')), 'a report'],
    ['is archived', waits, (stage, thread) => stage.change(thread, { do: 'archive' }), 'its archive'],
  ])('of the session decides again on a child that %s before the append', async (_what, before, move, ends) => {
    const stage = await team('ann', 'bob');
    const [ann = expect.fail(), bob = expect.fail()] = stage.children();
    await before(stage, ann);
    const done = stage.names.length;
    await stage.send([interrupt()], { meanwhile: async () => void (await move(stage, ann)) });
    const ofAll = stage.names.slice(done).filter((name) => /^append to [23]$/.test(name));
    expect(ofAll.length).toBeGreaterThan(1);
    expect(outline(stage.entries(ann)).includes('user.interrupt')).toBe(ends === 'user.interrupt');
    expect(outline(stage.entries(bob))).toContain('user.interrupt');
    expect(reports(stage)).toHaveLength(2);
    expect((await stage.state(ann)).status).toBe(ends === 'its archive' ? 'terminated' : 'idle');
    expect(await stage.state()).toMatchObject({ status: 'idle', team: { busy: [] } });
    await expectAgreement(stage);
  });

  it('of a session whose primary agent works ends it once', async () => {
    const stage = await createTeamStage([says('hi')]);
    await stage.says(PRIMARY, calls(asks('ann')));
    const entries = await appended(stage, () => stage.send([interrupt()]));
    expect(outline(entries).slice(-5)).toEqual(['user.interrupt', 'user.interrupt', ...IDLE]);
    expect(outline(entries).filter((type) => type === 'session.status_idle')).toHaveLength(1);
  });

  it('of one child leaves the others, and wakes the primary agent with its report', async () => {
    const stage = await team('ann', 'bob');
    const thread = child(stage);
    await stage.turn(stage.live().find((live) => live.thread === thread) ?? expect.fail('no execution'));
    const entries = await appended(stage, () => stage.send([interrupt(thread)]));
    expect(outline(entries)).toEqual([
      'user.interrupt',
      'user.interrupt',
      'session.thread_status_idle',
      'agent.thread_message_received',
      'session.thread_status_running',
    ]);
    expect(last(stage, 'user.interrupt')).toMatchObject({ session_thread_id: thread });
    expect((await stage.state(thread)).status).toBe('idle');
    expect((await stage.state(child(stage, 1))).status).toBe('running');
    expect((await stage.state()).team?.busy).toMatchObject([{ thread: child(stage, 1) }]);
  });

  it('of a child that rests changes nothing else', async () => {
    const stage = await team('ann');
    await stage.says(child(stage), text('Done.'));
    await stage.says(PRIMARY, text('Good.'));
    expect(outline(await appended(stage, () => stage.send([interrupt(child(stage))])))).toEqual([
      'user.interrupt',
      'user.interrupt',
    ]);
    expect(reports(stage)).toHaveLength(1);
  });

  it('of the primary agent alone leaves its children at work', async () => {
    const stage = await createTeamStage([says('hi')]);
    await stage.says(PRIMARY, calls(asks('ann')));
    const entries = await appended(stage, () => stage.send([interrupt(PRIMARY)]));
    expect(outline(entries)).toEqual(['user.interrupt', 'user.interrupt', 'session.thread_status_idle']);
    expect((await stage.state()).status).toBe('idle');
    expect(sessionStatus(await stage.state())).toBe('running');
    await stage.says(child(stage), text('Done.'));
    expect((await stage.state()).status).toBe('running');
  });

  it('of a thread that does not exist is refused', async () => {
    const stage = await team('ann');
    expect(await stage.send([interrupt('sthr_9' as ThreadId)])).toMatchObject({
      status: 'refused',
      field: 'events.0.session_thread_id',
    });
  });
});

describe('a follow-up', () => {
  it('goes on in the thread of a child that has reported, with its history', async () => {
    const stage = await team('ann');
    const thread = child(stage);
    await stage.says(thread, text('All is well.'));
    const entries = await appended(stage, () => stage.says(PRIMARY, calls(follows(thread, 'And the roof?'))));
    expect(outline(entries).slice(-3)).toEqual([
      'agent.thread_message_sent',
      'session.thread_status_running',
      '[call.answered]',
    ]);
    expect(stage.children()).toHaveLength(1);
    await stage.says(thread, text('The roof is new.'));
    const asked = stage.requests.findLast((one) => one.thread === thread)?.request.messages;
    expect(JSON.stringify(asked)).toMatch(/Do it\..*All is well\..*And the roof\?/);
    expect(reports(stage)).toEqual(['All is well.', 'The roof is new.']);
  });

  it('to a child at work is read at its next request, and one report answers all', async () => {
    const stage = await createTeamStage([says('hi')]);
    await stage.says(PRIMARY, calls(asks('ann')));
    const thread = child(stage);
    await stage.turn(stage.live().find((live) => live.thread === thread) ?? expect.fail('no execution'));
    await stage.says(PRIMARY, calls(follows(thread)), text('They work.'));
    await stage.says(thread, text('One.'), text('Both.'));
    expect(reports(stage)).toEqual(['Both.']);
  });

  it('to a child that waits for the client is an answer to the model', async () => {
    const stage = await team('ann', 'bob');
    const thread = child(stage);
    await stage.says(thread, calls(['weather']));
    const before = stage.entries(thread).length;
    await stage.send([says('more')]);
    await stage.says(PRIMARY, calls(follows(thread)));
    expect(stage.entries(thread)).toHaveLength(before);
    expect(JSON.stringify(stage.entries().at(-1))).toContain('waits for the user');
  });

  it('to an advisor, at work or not, is an answer to the model', async () => {
    const stage = await createTeamStage([says('hi')]);
    await stage.says(PRIMARY, calls(question));
    const thread = child(stage);
    await stage.send([says('more')]);
    await stage.says(PRIMARY, calls(follows(thread)));
    expect(JSON.stringify(stage.entries().at(-1))).toContain('ask_advisor');
    await stage.says(thread, text('So.'));
    await stage.says(PRIMARY, calls(follows(thread)));
    expect(JSON.stringify(stage.entries().at(-1))).toContain('ask_advisor');
    expect(reports(stage)).toEqual(['So.']);
  });

  it('to an archived child is an answer to the model', async () => {
    const stage = await team('ann');
    const thread = child(stage);
    await stage.says(thread, text('Done.'));
    const entries = await appended(stage, () => stage.change(thread, { do: 'archive' }));
    expect(outline(entries)).toEqual(['session.thread_status_terminated']);
    await stage.says(PRIMARY, calls(follows(thread)));
    expect(JSON.stringify(stage.entries().at(-1))).toContain('has ended');
  });

  it('twice in one answer is one stretch of work', async () => {
    const stage = await team('ann');
    const thread = child(stage);
    await stage.says(thread, text('Done.'));
    await stage.says(PRIMARY, calls(follows(thread, 'One.'), follows(thread, 'Two.')), text('They work.'));
    await stage.says(thread, text('Both.'));
    expect(JSON.stringify(stage.requests.findLast((one) => one.thread === thread))).toMatch(/One\..*Two\./);
    expect(reports(stage)).toEqual(['Done.', 'Both.']);
  });
});

describe('an advisor', () => {
  it('is asked once, in the order of the API, and the agent waits for it', async () => {
    const stage = await createTeamStage([says('hi')]);
    const entries = await appended(stage, () => stage.says(PRIMARY, calls(question)));
    expect(outline(entries).slice(-4)).toEqual([
      'session.thread_created',
      'session.thread_status_running',
      '[call.answered]',
      'session.thread_status_idle',
    ]);
    const thread = child(stage);
    expect((await stage.state(thread)).agentName).toBe('anthropic.advisor');
    const advice = await appended(stage, () => stage.says(thread, text('So.')));
    expect(outline(advice)).toEqual([
      '[thread.used]',
      'session.thread_status_idle',
      'session.thread_status_terminated',
      'agent.thread_message_received',
      'session.thread_status_running',
    ]);
    expect(stage.requests.at(-1)?.request.tools).toEqual([]);
    expect((await stage.state(thread)).status).toBe('terminated');
    expect(reports(stage)).toEqual(['So.']);
  });
});

describe('the statuses of the session', () => {
  const statuses = (stage: TeamStage) =>
    stage
      .events()
      .flatMap(({ type }) => (type.startsWith('session.status_') ? [type.slice('session.status_'.length)] : []));

  it('say `rescheduling` only when no thread runs', async () => {
    const stage = await team('ann', 'bob');
    const busy = new Fault('model_overloaded', 'busy');
    await stage.says(child(stage), busy);
    expect(statuses(stage)).toEqual(['running']);
    expect(sessionStatus(await stage.state())).toBe('running');
    await stage.says(child(stage, 1), busy);
    expect(statuses(stage)).toEqual(['running', 'rescheduled']);
    await stage.says(child(stage), text('Done.'));
    expect(statuses(stage)).toEqual(['running', 'rescheduled', 'running']);
  });

  it('say `rescheduling` when the last thread that runs ends its turn', async () => {
    const stage = await createTeamStage([says('hi')]);
    await stage.says(PRIMARY, calls(asks('ann')));
    await stage.says(child(stage), new Fault('model_overloaded', 'busy'));
    await stage.says(PRIMARY, text('They work.'));
    expect(sessionStatus(await stage.state())).toBe('rescheduling');
    expect(statuses(stage)).toEqual(['running', 'rescheduled']);
  });

  it('say `running` once when one request wakes a child and the primary thread', async () => {
    const stage = await createTeamStage([says('hi')]);
    await stage.says(PRIMARY, calls(asks('ann'), ['weather']));
    await stage.send([says('more')]);
    await stage.says(child(stage), calls(['weather']));
    expect(sessionStatus(await stage.state())).toBe('idle');
    const [own = expect.fail()] = (await stage.state()).calls;
    const [childs = expect.fail()] = (await stage.state(child(stage))).calls;
    await stage.send([told(own.id), told(childs.id)]);
    expect(statuses(stage)).toEqual(['running', 'idle', 'running']);
    for (const thread of stage.threads) expect((await stage.state(thread)).status).toBe('running');
  });

  /** Two calls of each of three threads: every set of answers, in both orders. */
  const sets = Array.from({ length: 64 }, (_, set) => [0, 1, 2, 3, 4, 5].filter((bit) => (set & (1 << bit)) !== 0));
  it.each([...sets, ...sets.map((set) => set.toReversed())].slice(1).map((set) => [set]))(
    'are told once, as they are after the answers %j of one request',
    async (answered) => {
      const stage = await createTeamStage([says('hi')]);
      await stage.says(PRIMARY, calls(asks('ann'), asks('bob'), ['weather'], ['weather']));
      for (const thread of stage.children()) await stage.says(thread, calls(['weather'], ['weather']));
      const states = await Promise.all(stage.threads.map((thread) => stage.state(thread)));
      const open = states.flatMap((state) => state.calls.map(({ id }) => id));
      const replies = answered.map((index) => told(open[index] ?? expect.fail()));
      const entries = await appended(stage, () => stage.send(replies));
      const left = open.filter((_id, index) => !answered.includes(index));
      const goesOn = [0, 2, 4].some((of) => answered.includes(of) && answered.includes(of + 1));
      const now = outline(entries).filter((type) => type.startsWith('session.status_'));
      expect(now).toEqual(answered.length === 0 ? [] : [goesOn ? 'session.status_running' : 'session.status_idle']);
      const { stop_reason: reason } = last(stage, 'session.status_idle');
      if (!goesOn && reason.type === 'requires_action') expect(reason.event_ids.toSorted()).toEqual(left.toSorted());
      const ofThreads = entries.flatMap((entry) =>
        'event' in entry && entry.event.type.startsWith('session.thread_') && 'session_thread_id' in entry.event
          ? [entry.event.session_thread_id]
          : [],
      );
      expect(ofThreads).toEqual([...new Set(ofThreads)]);
      await expectAgreement(stage);
    },
  );

  it('are one running and one idle for the work of all', async () => {
    const stage = await team('ann', 'bob');
    await stage.says(child(stage), text('One.'));
    await stage.says(PRIMARY, text('Good.'));
    await stage.says(child(stage, 1), text('Two.'));
    await stage.says(PRIMARY, text('Good.'));
    expect(statuses(stage)).toEqual(['running', 'idle']);
  });
});

describe('the usage of the session', () => {
  it('is the sum of its threads’ tokens, and the seconds in which it ran', async () => {
    const stage = await createTeamStage([says('hi')]);
    stage.stamp.advance(1000);
    await stage.says(PRIMARY, calls(asks('ann'), asks('bob')), text('They work.'));
    stage.stamp.advance(2000);
    await stage.says(child(stage), text('One.'));
    await stage.says(PRIMARY, text('Good.'));
    stage.stamp.advance(4000);
    await stage.says(child(stage, 1), text('Two.'));
    await stage.says(PRIMARY, text('Good.'));
    stage.stamp.advance(8000);
    const { usage } = last(stage, 'session.usage');
    expect(usage).toMatchObject({ input_tokens: 60, output_tokens: 30, active_seconds: 7 });
    expect(sessionUsage(await stage.state(), stage.stamp.now())).toEqual(usage);
    expect((await stage.state(child(stage))).usage).toMatchObject({ input_tokens: 10, active_seconds: 2 });
  });
});

describe('the archive of a child', () => {
  it('that waits for the client reports that, and the session waits for less', async () => {
    const { stage, thread } = await asked('weather');
    const entries = await appended(stage, () => stage.change(thread, { do: 'archive' }));
    expect(outline(entries)).toEqual(['session.thread_status_terminated', 'agent.thread_message_received', ...RUNNING]);
    expect(reports(stage)).toEqual(['This agent was archived before it had finished.']);
    expect((await stage.state()).team?.busy).toEqual([]);
  });

  it('is for good: no interrupt and no late result wakes it', async () => {
    const { stage, thread, ids } = await asked('weather');
    await stage.change(thread, { do: 'archive' });
    expect(await stage.send([interrupt(thread)])).toMatchObject({ field: 'events.0.session_thread_id' });
    await stage.change(thread, { do: 'result', call: ids[0] ?? expect.fail(), content: [], isError: false });
    expect((await stage.state(thread)).status).toBe('terminated');
    expect(reports(stage)).toHaveLength(1);
  });

  it('that runs is refused', async () => {
    const stage = await team('ann');
    expect(await stage.change(child(stage), { do: 'archive' })).toMatchObject({ status: 'refused' });
  });

  it('frees its place', async () => {
    const stage = await createTeamStage([says('hi')]);
    await stage.says(PRIMARY, calls(...Array.from({ length: 25 }, () => asks('ann'))));
    await stage.says(child(stage), calls(['weather']));
    await stage.change(child(stage), { do: 'archive' });
    await stage.says(PRIMARY, calls(asks('bob')));
    expect(stage.children()).toHaveLength(26);
  });
});

describe('the archive of a session', () => {
  it('ends the children that wait for the client', async () => {
    const { stage, thread } = await asked('weather');
    await stage.change(PRIMARY, { do: 'archive' });
    expect((await stage.state()).status).toBe('terminated');
    expect((await stage.state(thread)).status).toBe('terminated');
    expect((await stage.state()).team?.busy).toEqual([]);
    expect(outline(stage.entries()).slice(-2)).toEqual([
      'session.thread_status_terminated',
      'session.status_terminated',
    ]);
  });

  it('and its deletion leave no child that a person could still wake', async () => {
    const { stage, thread } = await asked('weather');
    expect(await closeForDeletion(stage, KEY, await stage.head())).toMatchObject({ status: 'closed' });
    expect((await stage.state(thread)).status).toBe('terminated');
    expect(outline(stage.entries()).at(-1)).toBe('session.deleted');
    expect(await closeForDeletion(stage, KEY, await stage.head())).toMatchObject({ status: 'closed' });
  });

  it('is refused while a child works', async () => {
    const stage = await team('ann');
    expect(await closeForDeletion(stage, KEY, await stage.head())).toMatchObject({ status: 'refused' });
    expect(await stage.change(PRIMARY, { do: 'archive' })).toMatchObject({ status: 'refused' });
  });
});

describe('an outcome', () => {
  it('is evaluated when the children that work for it have reported', async () => {
    const stage = await createTeamStage([outcome('A report', 'It is good.', 2)]);
    await stage.says(PRIMARY, calls(asks('ann')), text('They work.'));
    expect((await stage.state()).outcome).toMatchObject({ result: 'running' });
    expect(outline(stage.entries())).not.toContain('span.outcome_evaluation_start');
    await stage.says(child(stage), text('Done.'));
    await stage.says(PRIMARY, text('Good.'));
    expect((await stage.state()).outcome).toMatchObject({ result: 'evaluating' });
    await stage.says(PRIMARY, verdict('satisfied', 'All there.'));
    expect(sessionStatus(await stage.state())).toBe('idle');
  });

  it('ends when the user interrupts all', async () => {
    const stage = await createTeamStage([outcome('A report', 'It is good.', 2)]);
    await stage.says(PRIMARY, calls(asks('ann')), text('They work.'));
    await stage.send([interrupt()]);
    expect(last(stage, 'span.outcome_evaluation_end')).toMatchObject({ result: 'interrupted' });
    expect((await stage.state()).outcome).toBeUndefined();
  });
});

describe('an agent without a roster', () => {
  it('has no tools for delegation', async () => {
    const stage = await createTeamStage([says('hi')], { agent: { ...COORDINATOR, multiagent: null } });
    await stage.turn(stage.live()[0] ?? expect.fail('no execution'));
    expect(JSON.stringify(stage.requests[0]?.request.tools)).not.toContain('send_to_agent');
  });

  it('is each child', async () => {
    const stage = await team('ann');
    await stage.says(child(stage), calls(asks('bob')));
    expect(stage.children()).toHaveLength(1);
    expect(JSON.stringify(stage.entries(child(stage)))).toContain('There is no tool named send_to_agent');
  });
});
