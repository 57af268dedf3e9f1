/** Whole turns, event by event, and stops that do not end the session. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReplyError } from '#infra/local/model/script.ts';
import { closeUnrefused, createCases, rolesOf, says, type Roles } from '#test/journeys/cases.ts';
import { follow, type Follower } from '#test/journeys/follower.ts';
import { bash } from '#test/journeys/scripts.ts';
import { ofType, startService, textOf, types, type Service } from '#test/journeys/service.ts';

const BEGIN = ['user.message', 'session.status_running', 'session.thread_status_running', 'user.message'];
const FAILED = [
  'span.model_request_start',
  'span.model_request_end',
  'session.error',
  'session.thread_status_rescheduled',
  'session.status_rescheduled',
  'session.status_running',
  'session.thread_status_running',
];
const ANSWER = ['span.model_request_start', 'agent.message', 'span.model_request_end'];
const SEARCH = {
  type: 'server_tool_use' as const,
  id: 'srvtoolu_1',
  name: 'web_search' as const,
  input: { query: 'weather' },
  caller: { type: 'direct' as const },
};
const IDLE = ['session.thread_status_idle', 'session.usage', 'session.status_idle'];

describe.concurrent('a turn', () => {
  const cases = createCases();
  let service: Service;
  let roles: Roles;
  beforeAll(async () => {
    service = await startService({ script: cases.script });
    roles = await rolesOf(service, [{ type: 'agent_toolset_20260401' }]);
  });
  afterAll(async () => closeUnrefused(service));

  const send = (session: string, text: string) =>
    service.client.beta.sessions.events.send(session, { events: [says(text)] });

  async function begin(name: string): Promise<Follower> {
    const { id } = await service.client.beta.sessions.create(roles);
    const follower = await follow(service, id);
    await send(id, name);
    return follower;
  }

  it('with two calls appends each event once, in the contract’s order', async () => {
    const usage = { input_tokens: 7, output_tokens: 3, cache_read_input_tokens: 2, cache_creation_input_tokens: 1 };
    cases.on(
      'two',
      { thinking: 'hm', text: 'I look.', tools: [bash('echo one'), bash('echo two')], usage },
      { text: 'Done.', usage },
    );
    const follower = await begin('two');
    const stop = await follower.idle();
    expect(types(follower.seen)).toEqual([
      ...BEGIN,
      'span.model_request_start',
      'agent.thinking',
      'agent.message',
      'agent.tool_use',
      'agent.tool_use',
      'span.model_request_end',
      'agent.tool_result',
      'agent.tool_result',
      ...ANSWER,
      ...IDLE,
    ]);
    expect(stop).toMatchObject({ stop_reason: { type: 'end_turn' }, stop_details: null });
    const uses = ofType(follower.seen, 'agent.tool_use').map(({ id }) => id);
    const results = ofType(follower.seen, 'agent.tool_result').map((result) => result.tool_use_id);
    expect(results.toSorted()).toEqual(uses.toSorted());
    const starts = ofType(follower.seen, 'span.model_request_start').map(({ id }) => id);
    const ends = ofType(follower.seen, 'span.model_request_end');
    expect(ends.map((end) => [end.model_request_start_id, end.is_error, end.model_usage])).toEqual(
      starts.map((id) => [id, false, usage]),
    );
    const [threadIdle] = ofType(follower.seen, 'session.thread_status_idle');
    expect(threadIdle).toMatchObject({
      session_thread_id: follower.session.replace(/^sesn_/, 'sthr_'),
      agent_name: 'Ada',
      stop_reason: stop.stop_reason,
      stop_details: null,
    });
    const [told] = ofType(follower.seen, 'session.usage');
    const session = await service.client.beta.sessions.retrieve(follower.session);
    expect(session).toMatchObject({ status: 'idle', usage: told?.usage });
    expect(told?.usage).toMatchObject({ input_tokens: 14, output_tokens: 6, cache_read_input_tokens: 4 });
    // The list has each event once: the message at the position where the agent took it.
    expect(types(await service.events(follower.session))).toEqual(types(follower.seen).slice(1));
    follower.leave();
  });

  it('that pauses for a search of the provider continues from there, and the search is listed once', async () => {
    const found = {
      type: 'web_search_result' as const,
      title: 'Weather',
      url: 'https://example.com/weather',
      encrypted_content: 'EqQB',
      page_age: null,
    };
    cases.on(
      'paused',
      { served: [SEARCH], stopReason: 'pause_turn' },
      {
        served: [
          { type: 'web_search_tool_result', tool_use_id: SEARCH.id, caller: { type: 'direct' }, content: [found] },
        ],
        text: 'Sunny.',
      },
    );
    const follower = await begin('paused');
    expect(await follower.idle()).toMatchObject({ stop_reason: { type: 'end_turn' } });
    expect(types(follower.seen)).toEqual([
      ...BEGIN,
      'span.model_request_start',
      'span.model_request_end',
      'span.model_request_start',
      'agent.message',
      'agent.tool_use',
      'agent.tool_result',
      'span.model_request_end',
      ...IDLE,
    ]);
    expect(ofType(follower.seen, 'agent.tool_use')[0]).toMatchObject({ name: 'web_search', input: SEARCH.input });
    expect(ofType(follower.seen, 'agent.tool_result')[0]).toMatchObject({
      is_error: false,
      content: [{ type: 'search_result', source: found.url, title: found.title }],
    });
    expect(ofType(follower.seen, 'session.usage')[0]?.usage.server_tool_use?.web_search_requests).toBe(1);
    expect(cases.requests('paused')[1]?.messages.at(-1)).toMatchObject({ role: 'assistant', content: [SEARCH] });
    follower.leave();
  });

  it('that pauses and is interrupted continues with the next message, without the search', async () => {
    cases.on('abandoned', { served: [SEARCH], text: 'I search.', stopReason: 'pause_turn' }, async () => {
      await service.client.beta.sessions.events.send(follower.session, {
        events: [{ type: 'user.interrupt' }, says('something else')],
      });
      return { text: 'too late' };
    });
    const follower = await begin('abandoned');
    await follower.idle();
    expect(await follower.idle()).toMatchObject({ stop_reason: { type: 'end_turn' } });
    const asked = cases.requests('abandoned').at(-1)?.messages ?? [];
    expect(JSON.stringify(asked)).not.toContain(SEARCH.id);
    expect(asked.map(({ role }) => role)).toEqual(['user', 'assistant', 'user']);
    follower.leave();
  });

  it('that the model refuses shows why, and the session takes the next message', async () => {
    const details = { type: 'refusal' as const, category: 'cyber' as const, explanation: 'That would do harm.' };
    cases.on('refused', { text: 'No.', stopReason: 'refusal', stopDetails: details });
    const follower = await begin('refused');
    const stop = await follower.idle();
    expect(stop).toMatchObject({ stop_reason: { type: 'refusal' }, stop_details: details });
    expect(types(follower.since())).toEqual([...BEGIN, ...ANSWER, ...IDLE]);
    expect(ofType(follower.seen, 'session.thread_status_idle')[0]).toMatchObject({
      stop_reason: stop.stop_reason,
      stop_details: stop.stop_details,
    });
    expect(await service.client.beta.sessions.retrieve(follower.session)).toMatchObject({ status: 'idle' });
    await send(follower.session, 'something else');
    expect(await follower.idle()).toMatchObject({ stop_reason: { type: 'end_turn' }, stop_details: null });
    follower.leave();
  });

  it('that meets an overloaded provider is rescheduled each time, and continues', async () => {
    const busy: ReplyError = { status: 529, type: 'overloaded_error', message: 'busy' };
    const limited: ReplyError = { status: 429, type: 'rate_limit_error', message: 'slow down' };
    cases.on('busy', { error: busy }, { error: limited });
    const follower = await begin('busy');
    await follower.idle();
    expect(types(follower.seen)).toEqual([...BEGIN, ...FAILED, ...FAILED, ...ANSWER, ...IDLE]);
    expect(ofType(follower.seen, 'session.error').map(({ error }) => [error.type, error.retry_status])).toEqual([
      ['model_overloaded_error', { type: 'retrying' }],
      ['model_rate_limited_error', { type: 'retrying' }],
    ]);
    expect(ofType(follower.seen, 'span.model_request_end').map((end) => end.is_error)).toEqual([true, true, false]);
    expect(textOf(ofType(follower.seen, 'agent.message')[0])).toBe('You said: busy');
    follower.leave();
  });

  it('that the provider refuses finally ends with retries_exhausted, and the next turn works', async () => {
    cases.on('broke', { error: { status: 402, type: 'billing_error', message: 'no' } });
    const follower = await begin('broke');
    expect(await follower.idle()).toMatchObject({ stop_reason: { type: 'retries_exhausted' }, stop_details: null });
    expect(types(follower.since())).toEqual([
      ...BEGIN,
      'span.model_request_start',
      'span.model_request_end',
      'session.error',
      ...IDLE,
    ]);
    expect(ofType(follower.seen, 'session.error')[0]?.error).toMatchObject({
      type: 'billing_error',
      retry_status: { type: 'exhausted' },
    });
    await send(follower.session, 'paid');
    expect((await follower.idle()).stop_reason).toEqual({ type: 'end_turn' });
    expect(types(follower.since())).toEqual([...BEGIN, ...ANSWER, ...IDLE]);
    follower.leave();
  });
});
