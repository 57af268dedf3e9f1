import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { follow } from '#test/journeys/follower.ts';
import { bash, calling, echo } from '#test/journeys/scripts.ts';
import { ofType, startService, textOf, types, type Service } from '#test/journeys/service.ts';
import { IDLE_STREAM_SECONDS } from '#test/synth.ts';

describe('a conversation through the official SDK', () => {
  let service: Service;
  beforeAll(async () => {
    // The streams that its functions have served are counted.
    service = await startService({ own: true });
  });
  afterAll(async () => service.close());

  it('streams the events of the first turn in the contract’s order', async () => {
    service.standIn.script(() => ({ thinking: 'hm', text: 'Hello.' }));
    const session = await service.session();
    const seen = await service.converse(session, 'hi');
    expect(types(seen)).toEqual([
      'user.message',
      'session.status_running',
      'session.thread_status_running',
      'user.message',
      'span.model_request_start',
      'agent.thinking',
      'agent.message',
      'span.model_request_end',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    const [queued, taken] = ofType(seen, 'user.message');
    expect(taken?.id).toBe(queued?.id);
    expect([queued?.processed_at === null, taken?.processed_at === null]).toEqual([true, false]);
    expect(ofType(seen, 'session.status_idle')[0]).toMatchObject({ stop_reason: { type: 'end_turn' } });
    expect(await service.client.beta.sessions.retrieve(session)).toMatchObject({ status: 'idle' });
  });

  it('sends the model the earlier messages, and continues the session with a second message', async () => {
    service.standIn.script(echo);
    const session = await service.session();
    await service.converse(session, 'one');
    const seen = await service.converse(session, 'two');
    expect(textOf(ofType(seen, 'agent.message')[0])).toBe('You said: two');
    const last = service.standIn.requests.at(-1)?.request;
    expect(last?.messages.map((message) => message.role)).toEqual(['user', 'assistant', 'user']);
    expect(last).toMatchObject({ model: 'claude-opus-5', stream: true, max_tokens: expect.any(Number) });
  });

  it('lists each event once, in a form that can be joined with a stream that was opened late', async () => {
    service.standIn.script(echo);
    const session = await service.session();
    await service.converse(session, 'early');
    const stream = await service.client.beta.sessions.events.stream(session);
    const history = await service.events(session);
    await service.send(session, 'late');
    const live = [];
    for await (const event of stream) {
      live.push(event);
      if (event.type === 'session.status_idle') break;
    }
    const known = new Set(history.map((event) => event.id));
    expect(known.size).toBe(history.length);
    const joined = [...known, ...live.flatMap((event) => ('id' in event && !known.has(event.id) ? [event.id] : []))];
    const after = await service.events(session);
    expect(after.map((event) => event.id).toSorted()).toEqual([...new Set(joined)].toSorted());
  });

  it('runs three calls of one answer and gives the model their results in the order of the calls', async () => {
    service.standIn.script(calling(bash('echo one'), bash('echo two'), { name: 'glob', input: { pattern: '*' } }));
    const session = await service.session();
    const seen = await service.converse(session, 'look');
    expect(ofType(seen, 'agent.tool_use').map((use) => use.evaluated_permission)).toEqual(['allow', 'allow', 'allow']);
    expect(ofType(seen, 'agent.tool_result')).toHaveLength(3);
    expect(textOf(ofType(seen, 'agent.message').at(-1))).toMatch(/^Results: one \| two \| /);
    expect(service.standIn.refusals).toEqual([]);
  });

  it('pages through the history in both directions', async () => {
    service.standIn.script(echo);
    const session = await service.session();
    await service.converse(session, 'page');
    const { events } = service.client.beta.sessions;
    const forward: string[] = [];
    for await (const event of events.list(session, { limit: 3 })) forward.push(event.id);
    const backward: string[] = [];
    for await (const event of events.list(session, { limit: 4, order: 'desc' })) backward.push(event.id);
    expect(forward.length).toBeGreaterThan(8);
    expect(backward.toReversed()).toEqual(forward);
  });

  it('pages through the sessions in both directions', async () => {
    const made = [await service.session(), await service.session(), await service.session()];
    const first = await service.client.beta.sessions.list({ limit: 2 });
    expect(first.data.map((session) => session.id)).toEqual([made[2], made[1]]);
    const second = await first.getNextPage();
    expect(second.data[0]?.id).toBe(made[0]);
    const back = await service.client.beta.sessions.list({ limit: 2, page: second.prev_page ?? '' });
    expect(back.data.map((session) => session.id)).toEqual([made[2], made[1]]);
  });

  it('leaves streams behind that end after their idle time, because Lambda tells them nothing of their clients', async () => {
    // Those that followers have left end before that.
    await expect.poll(() => service.runtime.isRunning('stream')).toBe(false);
    const before = service.runtime.ended().length;
    (await service.client.beta.sessions.events.stream(await service.session())).controller.abort();
    const stays = await follow(service, await service.session());
    const opened = performance.now();
    const streams = () =>
      service.runtime
        .ended()
        .slice(before)
        .filter((one) => one.function === 'stream');
    await expect.poll(() => streams().length).toBeGreaterThan(0);
    expect(Math.min(...streams().map(({ tookMs }) => tookMs))).toBeGreaterThanOrEqual(IDLE_STREAM_SECONDS * 1000);
    // A client that stays opens the next one.
    await expect.poll(() => performance.now() - opened).toBeGreaterThan(IDLE_STREAM_SECONDS * 1000 + 1000);
    await service.send(stays.session, 'Hello.');
    await stays.idle();
    stays.leave();
  });
});
