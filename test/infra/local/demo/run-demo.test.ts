import Anthropic from '@anthropic-ai/sdk';
import { expect, test } from 'vitest';
import { runDemo, type Arrival } from '#infra/local/demo/run-demo.ts';
import * as given from './arrivals.ts';

const FRAMES = [given.TAKEN, given.ANSWER, given.idle('end_turn'), given.RUNNING]
  .map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
  .join('');

const FIRST_FRAME = FRAMES.slice(0, FRAMES.indexOf('\n\n') + 2);

/** With a signal, the body stays open until the signal is aborted, as a live connection does. */
function bodyOf(frames: string, signal: AbortSignal | null | undefined): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(body) {
      body.enqueue(new TextEncoder().encode(frames));
      if (signal) signal.addEventListener('abort', () => body.error(signal.reason));
      else body.close();
    },
  });
}

function json(body: unknown, status = 200): Response {
  return Response.json(body, { status });
}

/** The parts of a service that the demo uses. It records the requests in order. */
function service({ previews = true, frames = FRAMES, endless = false } = {}) {
  const asked: string[] = [];
  const fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const url = new URL(String(input));
    asked.push(`${init?.method?.toUpperCase()} ${url.pathname}${url.search ? ' with previews' : ''}`);
    if (!url.pathname.endsWith('/stream')) return json({ id: `${url.pathname.split('/').at(-1)}_1`, data: [] });
    if (url.search !== '' && !previews) {
      return json(
        { type: 'error', error: { type: 'invalid_request_error', message: 'event_deltas: not supported' } },
        400,
      );
    }
    return new Response(bodyOf(frames, endless ? init?.signal : null), {
      headers: { 'content-type': 'text/event-stream' },
    });
  };
  return { asked, client: new Anthropic({ baseURL: 'http://service', apiKey: 'key', fetch, maxRetries: 0 }) };
}

function run(client: Anthropic, onArrival: (arrival: Arrival) => void = () => {}, timeoutMs = 5_000) {
  return runDemo(client, { model: 'claude-test-1', message: 'hello', timeoutMs, previews: true, onArrival });
}

test('the demo opens the stream before it sends the message, and follows until the session is idle', async () => {
  const { client, asked } = service({});
  const seen: string[] = [];
  const arrivals = await run(client, ({ event }) => seen.push(event.type));
  expect(asked).toEqual([
    'POST /v1/agents',
    'POST /v1/environments',
    'POST /v1/sessions',
    'GET /v1/sessions/sessions_1/events/stream with previews',
    'POST /v1/sessions/sessions_1/events',
  ]);
  expect(seen).toEqual(['user.message', 'agent.message', 'session.status_idle']);
  expect(arrivals.map(({ event }) => event.type)).toEqual(seen);
});

test('the demo follows a service without previews', async () => {
  const { client, asked } = service({ previews: false });
  await run(client);
  expect(asked.slice(3, 5)).toEqual([
    'GET /v1/sessions/sessions_1/events/stream with previews',
    'GET /v1/sessions/sessions_1/events/stream',
  ]);
});

test('the demo asks for no previews when it counts calls', async () => {
  const { client, asked } = service({});
  await runDemo(client, {
    model: 'claude-test-1',
    message: 'hello',
    timeoutMs: 5_000,
    previews: false,
    onArrival: () => {},
  });
  expect(asked).toContain('GET /v1/sessions/sessions_1/events/stream');
});

test('the demo gives up a session that never ends, with a sentence that names the last event', async () => {
  const { client } = service({ frames: FIRST_FRAME, endless: true });
  const given = 'did not finish within 0.1 s; its last event was user.message';
  await expect(run(client, () => {}, 100)).rejects.toThrow(given);
});

test('the demo shows the events that came when the stream ends too early', async () => {
  const { client } = service({ frames: FIRST_FRAME });
  expect((await run(client)).map(({ event }) => event.type)).toEqual(['user.message']);
});
