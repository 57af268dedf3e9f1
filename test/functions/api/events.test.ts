import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { primaryThread, SessionId } from '#contract/ids.ts';
import type { SessionEvent, UserMessage } from '#contract/events.ts';
import { change } from '#core/session/change.ts';
import type { Command } from '#core/session/commands.ts';
import { startApi, type TestApi } from './api.ts';

describe('the events API', () => {
  let api: TestApi;
  let session: string;
  beforeAll(async () => {
    api = await startApi();
  });
  beforeEach(async () => {
    session = await api.session();
  });
  afterAll(() => api.close());

  const list = async (query = '') => {
    const { status, body } = await api.ask('GET', `/v1/sessions/${session}/events?${query}`);
    expect(status).toBe(200);
    return body as { readonly data: readonly SessionEvent[]; readonly next_page: string | null };
  };
  const types = (page: { readonly data: readonly SessionEvent[] }) => page.data.map((event) => event.type);

  /** Does what the harness would do. */
  const act = async (command: (id: UserMessage['id']) => Command) => {
    const key = { session: SessionId.parse(session), thread: primaryThread(SessionId.parse(session)) };
    const head = await api.world.log.head(key);
    if (head === null) throw new Error('the session has no log');
    await change(api.world, key, head, command(api.world.stamp.eventId()));
  };
  const claim = (messages: readonly UserMessage[]) =>
    act((request) => ({ do: 'claim', request, taken: messages.map((event) => ({ event })) }));

  it('stores events in order, returns their ids, and starts one run', async () => {
    const { status, body } = await api.send(session, 'one', 'two');
    expect(status).toBe(200);
    expect(body.data).toMatchObject([
      {
        id: expect.stringMatching(/^sevt_/),
        type: 'user.message',
        processed_at: null,
        content: [{ type: 'text', text: 'one' }],
      },
      { processed_at: null, content: [{ type: 'text', text: 'two' }] },
    ]);
    expect(api.started.filter((name) => name.startsWith(session))).toEqual([`${session}-1`]);
    await api.send(session, 'three');
    expect(api.started.filter((name) => name.startsWith(session))).toEqual([`${session}-1`]);
  });

  it('lists one event per id: queued ones last, taken ones where they were taken', async () => {
    const first = await api.send(session, 'one');
    expect(types(await list())).toEqual(['session.status_running', 'session.thread_status_running', 'user.message']);
    await claim(first.body.data);
    await api.send(session, 'two');
    const page = await list();
    expect(types(page)).toEqual([
      'session.status_running',
      'session.thread_status_running',
      'user.message',
      'span.model_request_start',
      'user.message',
    ]);
    expect(page.data[2]).toMatchObject({ id: first.body.data[0].id, processed_at: expect.any(String) });
    expect(page.data[4]).toMatchObject({ processed_at: null, content: [{ text: 'two' }] });
    expect((await list('order=desc')).data).toEqual(page.data.toReversed());
  });

  it.each(['asc', 'desc'])('lists pages without gap or repeat, queued events included (%s)', async (order) => {
    const first = await api.send(session, 'a', 'b', 'c');
    await claim(first.body.data);
    await api.send(session, 'd', 'e');
    await api.send(session, 'f');
    const all = await list(`order=${order}`);
    expect(all.data).toHaveLength(9);
    for (const limit of [1, 2, 4]) {
      const seen: SessionEvent[] = [];
      for (let page: string | null = ''; page !== null;) {
        const { data, next_page } = await list(`order=${order}&limit=${limit}${page === '' ? '' : `&page=${page}`}`);
        expect(data.length).toBeLessThanOrEqual(limit);
        seen.push(...data);
        page = next_page;
      }
      expect(seen).toEqual(all.data);
    }
  });

  it('filters by exact type, known to this service or not', async () => {
    const first = await api.send(session, 'one');
    await claim(first.body.data);
    expect(types(await list('types%5B%5D=user.message&types%5B%5D=span.model_request_start'))).toEqual([
      'user.message',
      'span.model_request_start',
    ]);
    expect(types(await list('types[]=agent.mcp_tool_use'))).toEqual([]);
    const unknown = await api.ask('GET', `/v1/sessions/${session}/events?types[]=nonsense`);
    expect([unknown.status, unknown.body.error.message]).toEqual([
      400,
      expect.stringMatching(/^types\.0: must be one of user\.message/),
    ]);
  });

  it('filters by processing time, which a queued event does not have', async () => {
    const first = await api.send(session, 'one');
    // Instants have milliseconds, so the message is taken in a later one than the start of the run.
    for (const sent = Date.now(); Date.now() === sent;);
    await claim(first.body.data);
    await api.send(session, 'two');
    const claimed = (await list('types[]=user.message&types[]=span.model_request_start')).data;
    // The two may have different milliseconds.
    const [taken = ''] = claimed.map((one) => one.processed_at ?? '9').toSorted();
    const since = await list(`created_at%5Bgte%5D=${encodeURIComponent(taken)}`);
    expect(types(since)).toEqual(['user.message', 'span.model_request_start']);
    expect((await list('created_at[gt]=2100-01-01T00:00:00Z')).data).toEqual([]);
    const { next_page } = await list('limit=1');
    const refused = await api.ask(
      'GET',
      `/v1/sessions/${session}/events?created_at[gt]=2100-01-01T00:00:00Z&page=${next_page}`,
    );
    expect(refused.status).toBe(400);
  });

  it('stores events that are too large for an item in the bucket, and deletes them with the session', async () => {
    const text = `${'x'.repeat(300_000)} \u2713`;
    const sent = await api.send(session, text);
    expect(sent.body.data[0].content[0].text).toBe(text);
    const listed = (await list()).data.at(-1);
    expect(listed).toEqual(sent.body.data[0]);
    expect([...api.objects.keys()].filter((key) => key.startsWith(session))).toHaveLength(1);
    await claim(sent.body.data);
    await act(() => ({ do: 'give up', cause: 'attempts', taken: [] }));
    api.objects.set(`${session}/of-a-lost-append.json`, text);
    expect((await api.ask('DELETE', `/v1/sessions/${session}`)).status).toBe(200);
    expect([...api.objects.keys()].filter((key) => key.startsWith(session))).toEqual([]);
  });

  it('ends a page before the response is larger than Lambda carries', async () => {
    const text = '"'.repeat(1_300_000);
    for (let count = 0; count < 4; count += 1) expect((await api.send(session, text)).status).toBe(200);
    const page = await list('types[]=user.message');
    expect(page.data.length).toBeLessThan(4);
    expect(Buffer.byteLength(JSON.stringify(JSON.stringify(page)))).toBeLessThan(6_200_000);
    const rest = await list(`types[]=user.message&page=${page.next_page}`);
    expect(page.data.length + rest.data.length).toBeLessThanOrEqual(4);
  });

  it('accepts events although the run cannot be started, because sweep starts it', async () => {
    const { start } = api.world.runs;
    Object.assign(api.world.runs, { start: () => Promise.reject(new Error('throttled')) });
    const sent = await api.send(session, 'one');
    Object.assign(api.world.runs, { start });
    expect(sent.status).toBe(200);
    expect(api.lines.at(-1)).toMatchObject({ session, run: 1, run_start: 'failed', error_class: 'Error' });
  });
});
