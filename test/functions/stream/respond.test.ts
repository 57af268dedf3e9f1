import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { SessionState } from '#contract/entries.ts';
import type { GatewayEvent } from '#contract/gateway.ts';
import { FIRST_POSITION } from '#contract/ids.ts';
import { refuse } from '#core/ports/errors.ts';
import { KEY } from '#test/functions/core/given.ts';
import { newThread } from '#test/ports/new-thread.ts';
import { appendOf, saying } from '#test/ports/session-log.suite.ts';
import { respond } from '../../../functions/stream/respond.ts';
import { createSink } from '../../../functions/stream/sink.ts';
import { client, clock, openLog, request, world } from './stream.ts';

async function open(
  event: GatewayEvent,
  opened = openLog(),
  during: readonly (() => unknown)[] = [() => opened.act({ do: 'archive' })],
) {
  const reader = client();
  const heads: { status: number; headers: Readonly<Record<string, string>> }[] = [];
  const streams = world(opened.log, clock(during));
  await respond(streams, event, {
    open: (status, headers) => {
      heads.push({ status, headers });
      return reader.sink;
    },
    untilMs: Date.now() + 120_000,
  });
  return { reader, head: heads[0], heads, lines: streams.lines };
}

describe('a stream request', () => {
  it('is answered at once with headers and a first chunk that flushes them', async () => {
    const { reader, head, heads, lines } = await open(request());
    expect(heads).toHaveLength(1);
    expect(head).toMatchObject({
      status: 200,
      headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store' },
    });
    expect(head?.headers['request-id']).toMatch(/^req_/);
    expect(reader.text()).toMatch(/^: open\n\nevent: /);
    expect(reader.ended()).toBe(true);
    expect(lines).toEqual([
      expect.objectContaining({
        route: '/v1/sessions/{session_id}/events/stream',
        status: 200,
        session: KEY.session,
        ended: 'session ended',
        events: 2,
      }),
    ]);
  });

  it('has the head read before the headers are sent, so that no later event is missed', async () => {
    const opened = openLog();
    const reader = client();
    await respond(world(opened.log, clock()), request(), {
      open: () => {
        void opened.act({ do: 'archive' });
        return reader.sink;
      },
      untilMs: Date.now() + 120_000,
    });
    expect(reader.names()).toContain('session.status_terminated');
  });

  it('for the primary thread gets the same stream', async () => {
    const { reader } = await open(request({ pathParameters: { session_id: KEY.session, thread_id: KEY.thread } }));
    expect(reader.names()).toContain('session.status_terminated');
  });

  it('for a child thread gets the events of its log, and none of the session', async () => {
    const opened = openLog();
    const child = newThread(KEY);
    const primary = (await opened.log.head(KEY)) ?? expect.fail('no log');
    const { head } = await opened.log.append(appendOf(KEY, primary, [saying('before')]), child);
    const own = { position: FIRST_POSITION, state: child.state };
    const ended: SessionState = { ...child.state, status: 'terminated' };
    const { reader, lines } = await open(
      request({ pathParameters: { session_id: KEY.session, thread_id: child.key.thread } }),
      opened,
      [
        () => opened.log.append(appendOf(KEY, head, [saying('told to the primary thread')])),
        () => opened.log.append({ ...appendOf(child.key, own, [saying('told to the child')]), state: ended }),
      ],
    );
    expect(reader.names()).toEqual(['user.message']);
    expect(reader.text()).toContain('told to the child');
    expect(lines).toEqual([expect.objectContaining({ route: '/v1/sessions/{session_id}/threads/{thread_id}/stream' })]);
  });

  it('may ask for previews', async () => {
    const { head } = await open(
      request({ multiValueQueryStringParameters: { 'event_deltas[]': ['agent.message', 'agent.thinking'] } }),
    );
    expect(head?.status).toBe(200);
  });

  it.each([
    [401, 'authentication_error', { headers: {} }],
    [401, 'authentication_error', { headers: { 'x-api-key': 'wrong' } }],
    [403, 'permission_error', { headers: { 'x-api-key': 'key', 'anthropic-workspace-id': 'wrkspc_2' } }],
    [404, 'not_found_error', { headers: { 'X-Api-Key': 'other' } }],
    [404, 'not_found_error', { pathParameters: { session_id: 'sesn_nobody' } }],
    [404, 'not_found_error', { pathParameters: { session_id: 'nonsense' } }],
    [404, 'not_found_error', { pathParameters: { session_id: KEY.session, thread_id: 'sthr_other' } }],
    [404, 'not_found_error', { pathParameters: { session_id: KEY.session, thread_id: 'nonsense' } }],
    [404, 'not_found_error', { pathParameters: { session_id: 'sesn_nobody', thread_id: KEY.thread } }],
    [400, 'invalid_request_error', { multiValueQueryStringParameters: { 'event_deltas[]': ['agent.tool_use'] } }],
    [
      400,
      'invalid_request_error',
      { multiValueQueryStringParameters: { 'event_deltas[]': Array.from({ length: 101 }, () => 'agent.message') } },
    ],
    [400, 'invalid_request_error', { multiValueQueryStringParameters: { colour: ['red'] } }],
    [400, 'invalid_request_error', { multiValueQueryStringParameters: { ['__proto__']: ['red'] } }],
  ])('is refused by %i %s before the first byte: %j', async (status, type, fields) => {
    const { reader, head, heads } = await open(request(fields));
    expect(heads).toHaveLength(1);
    expect(head).toMatchObject({
      status,
      headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    });
    const body = JSON.parse(reader.text());
    expect(body).toMatchObject({ type: 'error', error: { type }, request_id: head?.headers['request-id'] });
    if (status === 400) expect(body.error.message).toMatch(/^(event_deltas|colour|__proto__)/);
    expect(reader.ended()).toBe(true);
  });

  it.each([
    ['js', '0.86.1', 'message'],
    ['js', '0.129.0', 'message'],
    ['js', '1.14.0', 'session.status_terminated'],
    ['python', '0.105.0', 'message'],
    ['python', '2.14.0', 'session.status_terminated'],
    ['go', '1.36.0', 'message'],
    ['ruby', '0.9.0', 'session.status_terminated'],
    ['js', '', 'session.status_terminated'],
  ])('of the %s SDK %s gets frames that this SDK does not drop', async (lang, version, last) => {
    const headers = { 'x-api-key': 'key', 'X-Stainless-Lang': lang, 'X-Stainless-Package-Version': version };
    const { reader } = await open(request({ headers }));
    expect(reader.names().at(-1)).toBe(last);
    expect(reader.text()).toContain('"type":"session.status_terminated"');
  });

  it('over its rate limit is refused by 429 with the seconds to wait', async () => {
    const reader = client();
    const heads: Readonly<Record<string, string>>[] = [];
    const refusal = { ...refuse('rate_limit_error', 'slowly'), retryAfterSeconds: 7 };
    const streams = world(openLog().log, clock(), undefined, { admit: async () => refusal });
    await respond(streams, request(), {
      open: (status, headers) => {
        heads.push({ status: String(status), ...headers });
        return reader.sink;
      },
      untilMs: Date.now() + 120_000,
    });
    expect(heads).toMatchObject([{ status: '429', 'retry-after': '7', 'content-type': 'application/json' }]);
    expect(JSON.parse(reader.text())).toMatchObject({ error: { type: 'rate_limit_error', message: 'slowly' } });
  });

  it('that fails after the headers ends with an error frame', async () => {
    const opened = openLog();
    const broken = { head: opened.log.head, read: () => Promise.reject(new TypeError('canary-7f3a')) };
    const reader = client();
    const streams = world(broken, clock());
    await respond(streams, request(), { open: () => reader.sink, untilMs: Date.now() + 120_000 });
    expect(reader.names()).toEqual(['error']);
    expect(reader.text()).toContain('"type":"api_error"');
    expect(reader.text() + JSON.stringify(streams.lines)).not.toContain('canary');
    expect(streams.lines[0]).toMatchObject({ error_class: 'TypeError' });
  });
});

describe('a client of a stream that', () => {
  it('reads slowly makes the writer wait', async () => {
    const stream = new PassThrough({ highWaterMark: 8 });
    const sink = createSink(stream);
    let written = false;
    const writing = sink.write('more than eight bytes').then(() => (written = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(written).toBe(false);
    stream.resume();
    await writing;
    expect(written).toBe(true);
  });

  it('has left is written to as before, because Lambda tells nothing of it', async () => {
    const left = new PassThrough({ highWaterMark: 8 }).resume();
    const sink = createSink(left);
    for (let frame = 0; frame < 100; frame += 1) await sink.write('more than eight bytes');
    sink.end();
  });
});
