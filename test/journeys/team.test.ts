/** One session of many agents through the official SDK: one script plays all of them. */
import type { Anthropic } from '@anthropic-ai/sdk';
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema';
import { accumulateManagedAgentsEvent, type AccumulatedEvent } from '@anthropic-ai/sdk/lib/sessions/accumulate';
import type { AgentCreateParams } from '@anthropic-ai/sdk/resources/beta/agents';
import type { BetaManagedAgentsEventParams } from '@anthropic-ai/sdk/resources/beta/sessions/events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { primaryThread, SessionId } from '#contract/ids.ts';
import type { ModelRequest, Reply } from '#infra/local/model/script.ts';
import { WEATHER } from '#test/journeys/cases.ts';
import { follow, type Follower } from '#test/journeys/follower.ts';
import { bash, lastTexts } from '#test/journeys/scripts.ts';
import { ofType, resultsInOrder, textOf, types, type Event } from '#test/journeys/service.ts';
import { ADVISOR, begin, cast, goOn, list, readReport, startAgent, wait, type Cast } from '#test/journeys/teams.ts';
import { mcp, startMcpService, type McpService } from '#test/mcp/mcp-service.ts';

type Multiagent = NonNullable<AgentCreateParams['multiagent']>;
type Tools = NonNullable<AgentCreateParams['tools']>;
type Answer = BetaManagedAgentsEventParams;
type Usage = { readonly input_tokens?: number; readonly output_tokens?: number };

const SANDBOX: Tools = [{ type: 'agent_toolset_20260401' }];
const ASKING: Tools = [
  { type: 'agent_toolset_20260401', default_config: { permission_policy: { type: 'always_ask' } } },
];
const TOKEN = 'token-of-alice-0123456789';

/** The threads that a message to the model names. */
const named = (request: ModelRequest): readonly string[] => JSON.stringify(request.messages).match(/sthr_\w+/g) ?? [];
const last = (request: ModelRequest): string => lastTexts(request).at(-1) ?? '';

/** Clients send the thread of the call with its answer, which the SDK's types do not know. */
const echoing = (answer: Answer, session_thread_id: string): Answer => Object.assign({}, answer, { session_thread_id });

/** A gate that a script's answer waits at. */
function gate() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { hold: { hold: promise }, open: () => resolve() };
}

/** The agent answers, and nothing is left to do. */
const LAST_ANSWER = [
  'span.model_request_start',
  'agent.message',
  'span.model_request_end',
  'session.thread_status_idle',
  'session.usage',
  'session.status_idle',
];

describe('a session of many agents', () => {
  let service: McpService;
  let beta: Anthropic['beta'];
  let environment: string;
  beforeAll(async () => {
    service = await startMcpService({ fx: { tokens: { [TOKEN]: [] } } });
    beta = service.client.beta;
    environment = (await beta.environments.create({ name: 'lab' })).id;
  });
  afterAll(() => service.close());

  const agent = async (name: string, more: Pick<AgentCreateParams, 'tools' | 'mcp_servers' | 'multiagent'> = {}) =>
    (await beta.agents.create({ name, model: 'claude-opus-5', system: `You are ${name}.`, tools: SANDBOX, ...more }))
      .id;

  /** A session whose agent, Lead, may give work to others, and one that follows it. */
  async function sessionOf(multiagent: Multiagent, vault_ids: string[] = []): Promise<Follower> {
    const lead = await agent('Lead', { multiagent });
    const { id } = await beta.sessions.create({ agent: lead, environment_id: environment, vault_ids });
    return follow(service, id);
  }
  const coordinator = (...agents: string[]): Multiagent => ({ type: 'coordinator', agents });

  function play(roles: Parameters<typeof cast>[0]): Cast {
    const playing = cast(roles);
    service.standIn.script(playing.script);
    return playing;
  }

  async function eventsOf(session: string, thread: string): Promise<readonly Event[]> {
    const events: Event[] = [];
    for await (const event of beta.sessions.threads.events.list(thread, { session_id: session })) events.push(event);
    return events;
  }
  const primaryOf = (session: string) => primaryThread(SessionId.parse(session));
  const threadsOf = async (session: string) => (await beta.sessions.threads.list(session)).data;
  /** By the agents' names, in their order. */
  const statuses = async (session: string) => {
    const named = (await threadsOf(session)).map(({ agent: of, status }) => ['name' in of ? of.name : ADVISOR, status]);
    return named.toSorted(([a = ''], [b = '']) => a.localeCompare(b)).map(([name, status]) => `${name} ${status}`);
  };
  const send = (session: string, ...events: Parameters<typeof beta.sessions.events.send>[1]['events']) =>
    beta.sessions.events.send(session, { events });

  /** The ids of the children in the order in which they began. */
  const created = ({ seen }: Follower) =>
    ofType(seen, 'session.thread_created').map(({ session_thread_id }) => session_thread_id);

  /** Events of a session's stream, each with the name of the child that it is about, copies of a message once. */
  function told(follower: Follower): readonly string[] {
    const names = new Map(
      ofType(follower.seen, 'session.thread_created').map((e) => [e.session_thread_id, e.agent_name]),
    );
    return follower.since().flatMap((event) => {
      if ('processed_at' in event && event.processed_at === null) return [];
      const about =
        ('session_thread_id' in event && event.session_thread_id) ||
        ('from_session_thread_id' in event && event.from_session_thread_id) ||
        ('to_session_thread_id' in event && event.to_session_thread_id);
      const name = about ? names.get(about) : undefined;
      return [`${event.type}${name === undefined ? '' : ` ${name}`}`];
    });
  }

  it('gives work to two reviewers at once, who work beside each other and report', async () => {
    const [ada, bob] = [gate(), gate()];
    const playing = play({
      Lead: [
        { text: 'I delegate.', tools: [begin('Ada', 'Read a.'), begin('Bob', 'Read b.')] },
        { text: 'I wait.' },
        { text: 'Bob has reported.' },
        { text: 'All have reported.' },
      ],
      Ada: [
        { tools: [bash('mkdir d; cd d; echo from ada > ../note; basename "$PWD"')] },
        { tools: [bash('basename "$PWD"')], ...ada.hold },
        { text: ['Ada ', 'has ', 'read ', 'a.'], chunkDelayMs: 150 },
      ],
      Bob: [
        { tools: [bash('until [ -e note ]; do sleep 0.02; done; cat note; basename "$PWD"')] },
        { text: 'Bob has read b.', ...bob.hold },
      ],
    });
    const follower = await sessionOf(coordinator(await agent('Ada'), await agent('Bob')));
    const { session } = follower;
    await service.send(session, 'Review both.');
    const idle = () => follower.next('session.thread_status_idle');
    await idle();
    expect(told(follower)).toEqual([
      'session.status_running',
      'session.thread_status_running',
      'user.message',
      'span.model_request_start',
      'agent.message',
      'span.model_request_end',
      ...['Ada', 'Bob'].flatMap((name) => [
        `session.thread_created ${name}`,
        `agent.thread_message_sent ${name}`,
        `session.thread_status_running ${name}`,
      ]),
      'span.model_request_start',
      'agent.message',
      'span.model_request_end',
      'session.thread_status_idle',
    ]);
    const [adas = '', bobs = ''] = created(follower);
    await Promise.all([playing.asked('Ada', 2), playing.asked('Bob', 2)]);
    expect(await beta.sessions.retrieve(session)).toMatchObject({ status: 'running' });
    expect(await statuses(session)).toEqual(['Ada running', 'Bob running', 'Lead idle']);

    bob.open();
    await follower.next('agent.thread_message_received');
    await idle();
    expect(told(follower)).toEqual([
      'session.thread_status_idle Bob',
      'agent.thread_message_received Bob',
      'session.thread_status_running',
      'span.model_request_start',
      'agent.message',
      'span.model_request_end',
      'session.thread_status_idle',
    ]);
    const stream = await beta.sessions.threads.events.stream(adas, {
      session_id: session,
      event_deltas: ['agent.message'],
    });
    ada.open();
    let [folded, deltas]: [AccumulatedEvent | undefined, number] = [undefined, 0];
    for await (const frame of stream) {
      folded = accumulateManagedAgentsEvent(folded, frame);
      if (frame.type === 'event_delta') deltas += 1;
      if (frame.type === 'session.thread_status_idle') break;
    }
    expect(deltas).toBeGreaterThan(0);
    expect(folded).toMatchObject({ content: [{ text: 'Ada has read a.' }] });
    expect((await follower.idle()).stop_reason).toEqual({ type: 'end_turn' });
    // The session has run all the time.
    expect(told(follower)).toEqual([
      'session.thread_status_idle Ada',
      'agent.thread_message_received Ada',
      'session.thread_status_running',
      ...LAST_ANSWER,
    ]);

    // A file of one is found by the other, and a directory that one changes to is its own.
    expect(resultsInOrder(await eventsOf(session, adas))).toEqual(['d', 'd']);
    expect(resultsInOrder(await eventsOf(session, bobs))).toEqual([expect.stringMatching(/^from ada\n(?!d$)/)]);

    expect(types(await eventsOf(session, bobs))).toEqual([
      'agent.thread_message_received',
      'session.thread_status_running',
      'span.model_request_start',
      'agent.tool_use',
      'span.model_request_end',
      'agent.tool_result',
      'span.model_request_start',
      'agent.message',
      'span.model_request_end',
      'session.thread_status_idle',
    ]);
    const [, third, fourth] = [1, 2, 3].map((index) => playing.requests('Lead')[index]);
    expect(third && last(third)).toContain(`Message of the agent "Bob" in thread ${bobs}`);
    expect(third && last(third)).toContain('Bob has read b.');
    expect(fourth && last(fourth)).toContain('Ada has read a.');

    const threads = await threadsOf(session);
    const primary = primaryOf(session);
    expect(await statuses(session)).toEqual(['Ada idle', 'Bob idle', 'Lead idle']);
    expect(threads[0]).toMatchObject({ id: primary, parent_thread_id: null });
    expect(new Set(threads.map(({ id }) => id))).toEqual(new Set([primary, adas, bobs]));
    expect(new Set(threads.map(({ parent_thread_id: parent }) => parent))).toEqual(new Set([null, primary]));
    for (const thread of threads) {
      expect(await beta.sessions.threads.retrieve(thread.id, { session_id: session })).toEqual({
        ...thread,
        stats: expect.anything(),
      });
    }
    // Each thread counts its own, and the session the sum.
    const spent = await Promise.all(threads.map(async ({ id }) => sum(await eventsOf(session, id))));
    expect(threads.map(({ usage }) => tokens(usage))).toEqual(spent);
    const whole = spent.reduce(([a = 0, b = 0], [c = 0, d = 0]) => [a + c, b + d], [0, 0]);
    expect(tokens((await beta.sessions.retrieve(session)).usage)).toEqual(whole);
    expect(tokens(ofType(follower.seen, 'session.usage').at(-1)?.usage ?? null)).toEqual(whole);
    follower.leave();
  });

  const tokens = (usage: Usage | null) => [usage?.input_tokens, usage?.output_tokens];
  const sum = (events: readonly Event[]) =>
    ofType(events, 'span.model_request_end').reduce(
      ([input = 0, output = 0], { model_usage: { input_tokens, output_tokens } }) => [
        input + input_tokens,
        output + output_tokens,
      ],
      [0, 0],
    );

  it('asks its client for one child and a person for another, and each answer reaches its thread', async () => {
    const weather = { name: 'weather', input: { place: 'Bern' } };
    const playing = play({
      Lead: [{ tools: [begin('Ada', 'Ask.'), begin('Bob', 'Ask.'), wait] }],
      Ada: [{ tools: [weather] }, { text: 'It rains.' }],
      Bob: [{ tools: [bash('echo done')] }, { text: 'It is done.' }],
    });
    const team = [await agent('Ada', { tools: [WEATHER] }), await agent('Bob', { tools: ASKING })];
    const follower = await sessionOf(coordinator(...team));
    const { session } = follower;
    await service.send(session, 'Go.');
    const first = await follower.idle();
    const custom = ofType(follower.seen, 'agent.custom_tool_use')[0];
    const asked = ofType(follower.seen, 'agent.tool_use')[0];
    const [adas = '', bobs = ''] = created(follower);
    expect([custom?.session_thread_id, asked?.session_thread_id]).toEqual([adas, bobs]);
    expect(asked?.evaluated_permission).toBe('ask');
    const ids = first.stop_reason.type === 'requires_action' ? first.stop_reason.event_ids : [];
    expect(ids.toSorted()).toEqual([custom?.id, asked?.id].toSorted());
    expect(await statuses(session)).toEqual(['Ada idle', 'Bob idle', 'Lead idle']);
    const own = ofType(await eventsOf(session, adas), 'agent.custom_tool_use')[0];
    expect(own).toMatchObject({ id: custom?.id });
    expect(own).not.toHaveProperty('session_thread_id');
    await expect(service.send(session, 'And?')).rejects.toMatchObject({ status: 400 });

    follower.since();
    const result: Answer = {
      type: 'user.custom_tool_result',
      custom_tool_use_id: custom?.id ?? '',
      content: [{ type: 'text', text: 'rain' }],
    };
    await expect(send(session, echoing(result, bobs))).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('events.0.session_thread_id'),
    });
    await send(session, result);
    expect((await follower.idle()).stop_reason).toEqual({ type: 'requires_action', event_ids: [asked?.id] });
    expect(told(follower)).toEqual([
      'user.custom_tool_result Ada',
      'session.status_running',
      'session.thread_status_running Ada',
      'session.thread_status_idle Ada',
      'agent.thread_message_received Ada',
      'session.thread_status_running',
      ...LAST_ANSWER,
    ]);
    const confirmation: Answer = { type: 'user.tool_confirmation', tool_use_id: asked?.id ?? '', result: 'allow' };
    await send(session, echoing(confirmation, bobs));
    expect((await follower.idle()).stop_reason).toEqual({ type: 'end_turn' });
    expect(playing.requests('Bob').map(last)).toEqual(['Ask.', 'done']);
    expect(playing.requests('Ada').map(last)).toEqual(['Ask.', 'rain']);
    expect(playing.requests('Lead').map(last)).toEqual([
      'Go.',
      expect.stringContaining('It rains.'),
      expect.stringContaining('It is done.'),
    ]);
    expect(types(await eventsOf(session, bobs))).toEqual([
      'agent.thread_message_received',
      'session.thread_status_running',
      'span.model_request_start',
      'agent.tool_use',
      'span.model_request_end',
      'session.thread_status_idle',
      'user.tool_confirmation',
      'session.thread_status_running',
      'agent.tool_result',
      'span.model_request_start',
      'agent.message',
      'span.model_request_end',
      'session.thread_status_idle',
    ]);

    // The SDK's tool runner answers a child like the primary thread.
    play({ Lead: [{ tools: [goOn(adas, 'Ask again.'), wait] }], Ada: [{ tools: [weather] }, { text: 'Sunny.' }] });
    const tool = betaTool({
      name: 'weather',
      description: WEATHER.description,
      inputSchema: { type: 'object', properties: { place: { type: 'string' } }, required: ['place'] },
      run: ({ place }) => `${place} is sunny`,
    });
    await service.send(session, 'Once more.');
    const posted: string[] = [];
    for await (const call of beta.sessions.events.toolRunner(session, { tools: [tool], maxIdleMs: 1 })) {
      if (call.posted) posted.push(call.name);
    }
    expect(posted).toEqual(['weather']);
    await service.idle(session);
    const answers = ofType(await eventsOf(session, adas), 'user.custom_tool_result');
    expect(answers.map(textOf)).toEqual(['rain', 'Bern is sunny']);
    follower.leave();
  });

  it('goes on with a child that has finished, which remembers; and consults an advisor', async () => {
    const playing = play({
      Lead: [
        { tools: [begin('Ada', 'Read a.'), wait] },
        (request) => ({ tools: [goOn(named(request)[0] ?? '', 'And c?')] }),
        { tools: [wait] },
        { tools: [{ name: 'ask_advisor', input: { question: 'Which one?' } }] },
      ],
      Ada: [{ text: 'I have read a.' }, { text: 'I have read c.' }],
      [ADVISOR]: [{ text: 'Take c.' }],
    });
    const advised = { type: 'coordinator', agents: [await agent('Ada'), { type: 'advisor', model: 'claude-opus-5' }] };
    const follower = await sessionOf(advised as Multiagent);
    const { session } = follower;
    await service.send(session, 'Read.');
    await follower.idle();
    expect(playing.requests('Ada')[1]?.messages).toMatchObject([
      { role: 'user', content: [{ text: 'Read a.' }] },
      { role: 'assistant', content: [{ text: 'I have read a.' }] },
      { role: 'user', content: [{ text: 'And c?' }] },
    ]);
    const reports = ofType(follower.seen, 'agent.thread_message_received').map(textOf);
    expect(reports).toEqual(['I have read a.', 'I have read c.', 'Take c.']);
    const all = told(follower);
    expect(all.filter((one) => one.endsWith('anthropic.advisor'))).toEqual([
      'session.thread_created anthropic.advisor',
      'session.thread_status_running anthropic.advisor',
      'session.thread_status_idle anthropic.advisor',
      'session.thread_status_terminated anthropic.advisor',
      'agent.thread_message_received anthropic.advisor',
    ]);
    expect(all.filter((one) => one.startsWith('session.status_'))).toEqual([
      'session.status_running',
      'session.status_idle',
    ]);
    const [, finished, advisors] = await threadsOf(session);
    expect(finished).toMatchObject({ status: 'idle' });
    expect(advisors).toMatchObject({ status: 'terminated', agent: { type: 'advisor', model: 'claude-opus-5' } });
    expect(playing.requests(ADVISOR)[0]?.tools ?? []).toEqual([]);
    expect(playing.requests(ADVISOR).map(last)).toEqual(['Which one?']);
    expect(playing.requests('Lead').map(last).at(-1)).toContain('Take c.');
    follower.leave();
  });

  it('tells its agent what became of a child that failed, and goes on with its client while another works', async () => {
    const held = gate();
    const refusal: Reply = { error: { status: 400, type: 'invalid_request_error', message: 'no' } };
    const playing = play({
      Lead: [
        { tools: [begin('Ada', 'Go.'), begin('Bob', 'Go.')] },
        { text: 'I wait.' },
        { tools: [list, readReport('sthr_none'), begin('Zoe', 'Go.'), wait] },
        { text: 'Still here.' },
      ],
      Ada: [{ text: 'Ada is done.', ...held.hold }],
      Bob: [refusal, refusal, refusal, refusal],
    });
    const follower = await sessionOf(coordinator(await agent('Ada'), await agent('Bob')));
    const { session } = follower;
    await service.send(session, 'Go.');
    for (const _ of ['I wait', 'Bob', 'wait']) await follower.next('session.thread_status_idle');
    await expect(beta.sessions.archive(session)).rejects.toMatchObject({ status: 400 });
    await expect(beta.sessions.delete(session)).rejects.toMatchObject({ status: 400 });
    await expect(beta.sessions.update(session, { agent: { tools: [] } })).rejects.toMatchObject({ status: 400 });
    await service.send(session, 'Still there?');
    await follower.next('session.thread_status_idle');
    held.open();
    await follower.idle();
    const [, , third, fourth, fifth] = playing.requests('Lead').map(lastTexts);
    expect(third?.at(-1)).toContain('Message of the agent "Bob"');
    expect(third?.at(-1)).toContain('could not finish its work. The model provider refused the request (HTTP 400');
    expect(fourth?.slice(0, 3)).toEqual([
      expect.stringMatching(/"Bob", idle\n.*"Ada", running|"Ada", running\n.*"Bob", idle/),
      'thread_id: there is no thread sthr_none in this session',
      'agent: there is no agent named "Zoe": see list_agents',
    ]);
    expect(fourth?.at(-1)).toBe('Still there?');
    expect(fifth?.at(-1)).toContain('Ada is done.');
    // A session’s turn goes on when a child’s has ended.
    const [, bobs = ''] = created(follower);
    const retries = (events: readonly Event[]) => ofType(events, 'session.error').map((e) => e.error.retry_status.type);
    expect(retries(await eventsOf(session, bobs)).at(-1)).toBe('exhausted');
    expect(retries(follower.seen)).not.toContain('exhausted');
    const running = told(follower).filter((one) => one.startsWith('session.status_'));
    expect(running).toEqual(['session.status_running', 'session.status_idle']);
    const tools = (playing.requests('Ada')[0]?.tools ?? []).map((tool) => 'name' in tool && tool.name);
    expect(tools).toContain('bash');
    expect(tools).not.toContain('send_to_agent');
    follower.leave();
  });

  it('takes an interrupt with a message, two answers in one request, and the archive of a child that waits', async () => {
    const slow: Reply = { text: ['never', ' heard'], hold: new Promise(() => undefined), holdBefore: 3 };
    const both = { tools: [begin('Ada', 'Go.'), begin('Bob', 'Go.'), wait] };
    const playing = play({
      Lead: [both, { text: 'Now.' }, both],
      Ada: [slow, { tools: [bash('echo a')] }],
      Bob: [slow, { tools: [bash('echo b')] }],
    });
    const team = [await agent('Ada', { tools: ASKING }), await agent('Bob', { tools: ASKING })];
    const follower = await sessionOf(coordinator(...team));
    const { session } = follower;
    await service.send(session, 'Go.');
    await Promise.all([playing.asked('Ada'), playing.asked('Bob')]);
    await follower.next('session.thread_status_idle');
    const message = { type: 'user.message' as const, content: [{ type: 'text' as const, text: 'Now?' }] };
    await send(session, { type: 'user.interrupt' }, message);
    for (const _ of ['interrupted', 'answered']) await follower.idle();
    const [, second] = playing.requests('Lead').map(lastTexts);
    const interrupted = expect.stringContaining('The user interrupted this agent before it had finished.');
    expect(second?.slice(-3)).toEqual([interrupted, interrupted, 'Now?']);

    await service.send(session, 'Again.');
    const { stop_reason: stop } = await follower.idle();
    const [first = '', other = ''] = stop.type === 'requires_action' ? stop.event_ids : [];
    const confirmation = { type: 'user.tool_confirmation' as const };
    await send(
      session,
      { ...confirmation, tool_use_id: first, result: 'allow' },
      { ...confirmation, tool_use_id: other, result: 'deny', deny_message: 'no way' },
    );
    expect((await follower.idle()).stop_reason).toEqual({ type: 'end_turn' });
    const heard = [...playing.requests('Ada'), ...playing.requests('Bob')].map(last);
    expect(heard.filter((text) => /^[ab]$/.test(text))).toHaveLength(1);
    expect(heard.filter((text) => text.endsWith('They said: no way'))).toHaveLength(1);

    const next = play({ Lead: [{ tools: [begin('Ada', 'Ask.'), wait] }], Ada: [{ tools: [bash('echo a')] }] });
    await service.send(session, 'Once more.');
    await follower.idle();
    told(follower);
    const waiting = created(follower).at(-1) ?? '';
    await beta.sessions.threads.archive(waiting, { session_id: session });
    await follower.idle();
    expect(told(follower).slice(0, 4)).toEqual([
      'session.thread_status_terminated Ada',
      'agent.thread_message_received Ada',
      'session.status_running',
      'session.thread_status_running',
    ]);
    expect(next.requests('Lead').map(last).at(-1)).toContain('This agent was archived before it had finished.');
    follower.leave();
  });

  it('is judged by its outcome when its children have reported', async () => {
    play({
      Lead: [{ tools: [begin('Ada', 'Write.')] }, { text: 'I wait.' }, { text: 'Ada has written.' }],
      Ada: [{ tools: [bash('echo x > /mnt/session/outputs/r.md')] }, { text: 'I have written.' }],
      // The grader.
      [ADVISOR]: [{ tools: [{ name: 'verdict', input: { result: 'satisfied', explanation: 'Yes.' } }] }],
    });
    const follower = await sessionOf(coordinator(await agent('Ada')));
    const rubric = { type: 'text' as const, content: 'It is written.' };
    await send(follower.session, { type: 'user.define_outcome', description: 'A report.', rubric });
    await follower.idle();
    const seen = told(follower);
    expect(seen.filter((one) => one.startsWith('span.outcome_evaluation') || one.endsWith('received Ada'))).toEqual([
      'agent.thread_message_received Ada',
      'span.outcome_evaluation_start',
      'span.outcome_evaluation_ongoing',
      'span.outcome_evaluation_end',
    ]);
    const { outcome_evaluations } = await beta.sessions.retrieve(follower.session);
    expect(outcome_evaluations).toMatchObject([{ result: 'satisfied' }]);
    follower.leave();
  });

  it('has agents that the model defines itself', async () => {
    const playing = play({
      Lead: [{ tools: [startAgent('Cleo', 'You are Cleo.', 'Count.'), wait] }],
      Cleo: [{ tools: [bash('echo counted')] }, { text: 'Three.' }],
    });
    const follower = await sessionOf({ type: 'multiagent_20261001' });
    await service.send(follower.session, 'Count.');
    await follower.idle();
    const [, cleo] = await threadsOf(follower.session);
    expect(cleo?.agent).toMatchObject({ type: 'inline', name: 'Cleo', system: 'You are Cleo.' });
    expect(cleo?.agent).not.toHaveProperty('id');
    expect(cleo?.agent).not.toHaveProperty('version');
    expect(playing.requests('Cleo').map(last)).toEqual(['Count.', 'counted']);
    expect(playing.requests('Lead').map(last).at(-1)).toContain('Three.');
    follower.leave();
  });

  it('has an agent with a sandbox of its own, which is lent another one; and passes its sandbox to another session', async () => {
    const look = bash('cat shared.txt 2> /dev/null || echo nothing');
    const made = bash('mkdir -p /mnt/session/outputs; echo made | tee /mnt/session/outputs/lab.txt');
    const playing = play({
      Lead: [
        { tools: [bash('echo shared > shared.txt; echo written')] },
        { tools: [begin('Lab', 'Look.'), wait] },
        (request) => ({ tools: [goOn(named(request)[0] ?? '', 'Look here.', { sandbox: 'mine' }), wait] }),
      ],
      Lab: [{ tools: [look] }, { tools: [made] }, { text: 'First.' }, { tools: [look] }, { text: 'Second.' }],
      Guest: [{ tools: [look] }, { text: 'Seen.' }, { tools: [look] }],
    });
    const lab = await beta.agents.create({
      ...{ name: 'Lab', model: 'claude-opus-5', system: 'You are Lab.', tools: SANDBOX },
      metadata: { brainstem_environment: (await beta.environments.create({ name: 'apart' })).id },
    });
    const follower = await sessionOf(coordinator(lab.id));
    const { session } = follower;
    await service.send(session, 'Look.');
    await follower.idle();
    const passed = expect.stringMatching(/^\(This sandbox was passed to you\. .+\)\nshared$/);
    expect(playing.requests('Lab').map(last)).toEqual(['Look.', 'nothing', 'made', 'Look here.', passed]);
    const [thread = ''] = created(follower);
    const hands = `/v1/x/sessions/${session}/hands`;
    const main = { id: 'main', status: 'ready', holders: [{ thread_id: primaryOf(session) }] };
    const own = { id: thread, status: 'ready', holders: [{ thread_id: thread }] };
    expect(await service.client.get(hands)).toMatchObject({ data: [main, own] });
    const outputs = await beta.files.list({ scope_id: session });
    expect(outputs.data.map(({ filename }) => filename)).toEqual(['lab.txt']);

    const guest = await beta.sessions.create({ agent: await agent('Guest'), environment_id: environment });
    await service.client.post(`${hands}/main/grants`, { body: { session_id: guest.id } });
    await service.converse(guest.id, 'Look.');
    await beta.sessions.delete(session);
    await service.converse(guest.id, 'Look again.');
    expect(playing.requests('Guest').map(last)).toEqual(['Look.', passed, 'Look again.', 'nothing']);
    follower.leave();
  });

  it('is interrupted in one child or in all, and archives children that rest', async () => {
    const never = new Promise(() => undefined);
    const slow: Reply = { text: ['never', ' heard'], hold: never, holdBefore: 3 };
    const roles = {
      Lead: [{ tools: [begin('Ada', 'Go.'), begin('Bob', 'Go.')] }, { text: 'I wait.' }],
      Ada: [slow],
      Bob: [{ tools: [bash('sleep 300')] }],
    };
    const playing = play(roles);
    const follower = await sessionOf(coordinator(await agent('Ada'), await agent('Bob')));
    const { session } = follower;
    await service.send(session, 'Go.');
    await follower.next('session.thread_status_idle');
    await Promise.all([playing.asked('Ada'), playing.asked('Bob')]);
    const [adas = '', bobs = ''] = created(follower);
    const archive = (thread: string) => beta.sessions.threads.archive(thread, { session_id: session });
    for (const thread of [adas, primaryOf(session)]) {
      await expect(archive(thread)).rejects.toMatchObject({ status: 400 });
    }
    told(follower);
    await send(session, { type: 'user.interrupt', session_thread_id: adas });
    await follower.next('agent.thread_message_received');
    await follower.next('session.thread_status_idle');
    expect(told(follower)).toEqual([
      'user.interrupt Ada',
      'session.thread_status_idle Ada',
      'agent.thread_message_received Ada',
      'session.thread_status_running',
      'span.model_request_start',
      'agent.message',
      'span.model_request_end',
      'session.thread_status_idle',
    ]);
    expect(await statuses(session)).toEqual(['Ada idle', 'Bob running', 'Lead idle']);
    expect(types(await eventsOf(session, adas)).slice(-3)).toEqual([
      'span.model_request_end',
      'user.interrupt',
      'session.thread_status_idle',
    ]);

    await send(session, { type: 'user.interrupt' });
    expect((await follower.idle()).stop_reason).toEqual({ type: 'end_turn' });
    expect(told(follower)).toEqual([
      'session.thread_status_idle Bob',
      'agent.thread_message_received Bob',
      'user.interrupt',
      'session.usage',
      'session.status_idle',
    ]);
    expect(await statuses(session)).toEqual(['Ada idle', 'Bob idle', 'Lead idle']);
    expect(resultsInOrder(await eventsOf(session, bobs))).toEqual([
      'Tool execution was interrupted before completion. Please retry.',
    ]);
    expect(playing.requests('Lead')).toHaveLength(3);

    const stream = await beta.sessions.threads.events.stream(adas, { session_id: session });
    expect(await archive(adas)).toMatchObject({ id: adas, status: 'terminated', archived_at: expect.any(String) });
    expect(await archive(adas)).toMatchObject({ status: 'terminated' });
    const after: string[] = [];
    for await (const { type } of stream) after.push(type);
    expect(after).toEqual(['session.thread_status_terminated']);
    expect(types(await eventsOf(session, adas)).at(-1)).toBe('session.thread_status_terminated');
    const { data: ended } = await beta.sessions.threads.list(session, { statuses: ['terminated'] });
    expect(ended.map(({ id }) => id)).toEqual([adas]);
    // The next turn reads what became of both, and cannot go on with the one that has ended.
    const next = play({
      Lead: [{ tools: [goOn(adas, 'Go on.'), goOn(bobs, 'Go on.'), wait] }],
      Bob: [{ text: 'Yes.' }],
    });
    await service.send(session, 'And?');
    await follower.idle();
    expect(told(follower)[0]).toBe('session.thread_status_terminated Ada');
    const [first, second] = next.requests('Lead');
    expect(first && lastTexts(first).join('\n')).toContain('interrupted');
    expect(second && JSON.stringify(second.messages)).toContain('has ended');
    expect(next.requests('Bob')[0]?.messages.length).toBeGreaterThan(2);
    await expect(archive('sthr_none')).rejects.toMatchObject({ status: 404 });
    follower.leave();
  });

  it('calls an MCP tool of a child, which its own agent’s policy asks for; deleted, it leaves nothing', async () => {
    const playing = play({
      Lead: [{ tools: [begin('Ada', 'Add.'), wait] }],
      Ada: [{ tools: [mcp('sum', { a: 1, b: 2 })] }, (request) => ({ text: `It is ${last(request)}.` })],
    });
    const ada = await agent('Ada', {
      mcp_servers: [{ type: 'url', name: 'fx', url: service.fx.url }],
      tools: [
        { type: 'mcp_toolset', mcp_server_name: 'fx', default_config: { permission_policy: { type: 'always_ask' } } },
      ],
    });
    const follower = await sessionOf(coordinator(ada), [await service.vaultWith('alice', TOKEN)]);
    const { session } = follower;
    await service.send(session, 'Add.');
    const use = await follower.next('agent.mcp_tool_use');
    const { stop_reason: stop } = await follower.idle();
    expect(stop).toEqual({ type: 'requires_action', event_ids: [use.id] });
    const [adas = ''] = created(follower);
    expect(use).toMatchObject({ session_thread_id: adas, evaluated_permission: 'ask', mcp_server_name: 'fx' });
    expect(service.fx.calls('sum')).toHaveLength(0);
    await send(session, { type: 'user.tool_confirmation', tool_use_id: use.id, result: 'allow' });
    expect((await follower.idle()).stop_reason).toEqual({ type: 'end_turn' });
    expect(service.fx.calls('sum')).toHaveLength(1);
    expect(playing.requests('Lead').map(last).at(-1)).toContain('It is 3.');
    expect((playing.requests('Lead')[0]?.tools ?? []).map((tool) => 'name' in tool && tool.name)).not.toContain(
      'mcp__fx__sum',
    );
    follower.leave();

    const stream = await beta.sessions.threads.events.stream(adas, { session_id: session });
    await beta.sessions.delete(session);
    const seen: string[] = [];
    for await (const { type } of stream) seen.push(type);
    expect(seen).toEqual(['session.deleted']);
    await expect(eventsOf(session, adas)).rejects.toMatchObject({ status: 404 });
    // The audit trail stays, and the numbers of streams expire.
    const rows = [...(await service.rows())].filter(([table]) => !/Audit|Previews/.test(table));
    expect(rows.length).toBeGreaterThanOrEqual(2);
    expect(rows.flatMap(([table, items]) => (items.includes(adas) ? [table] : []))).toEqual([]);
  });
});
