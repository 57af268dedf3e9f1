import Anthropic from '@anthropic-ai/sdk';
import { expect, test } from 'vitest';
import { followSession, type Arrival } from '#infra/local/demo/session.ts';
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

/** The parts of a service that the demo uses. It records the requests in order. */
function service({ frames = FRAMES, endless = false } = {}) {
  const asked: string[] = [];
  const fetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const url = new URL(String(input));
    asked.push(`${init?.method?.toUpperCase()} ${url.pathname}${url.search ? ' with previews' : ''}`);
    if (!url.pathname.endsWith('/stream'))
      return Response.json({ id: `${url.pathname.split('/').at(-1)}_1`, data: [] });
    return new Response(bodyOf(frames, endless ? init?.signal : null), {
      headers: { 'content-type': 'text/event-stream' },
    });
  };
  return { asked, client: new Anthropic({ baseURL: 'http://service', apiKey: 'key', fetch, maxRetries: 0 }) };
}

async function run(client: Anthropic, { previews = true, signal = NEVER } = {}) {
  const arrivals: Arrival[] = [];
  const options = { model: 'claude-test-1', message: 'hello', previews, signal };
  for await (const arrival of followSession(client, options)) arrivals.push(arrival);
  return arrivals.map(({ event }) => event.type);
}

const NEVER = new AbortController().signal;

test('the demo opens the stream before it sends the message, and follows until the session is idle', async () => {
  const { client, asked } = service({});
  const seen = await run(client);
  expect(asked).toEqual([
    'POST /v1/agents',
    'POST /v1/environments',
    'POST /v1/sessions',
    'GET /v1/sessions/sessions_1/events/stream with previews',
    'POST /v1/sessions/sessions_1/events',
  ]);
  expect(seen).toEqual(['user.message', 'agent.message', 'session.status_idle']);
});

test('the demo asks for no previews when it counts calls', async () => {
  const { client, asked } = service({});
  await run(client, { previews: false });
  expect(asked).toContain('GET /v1/sessions/sessions_1/events/stream');
});

test('the demo stops in the middle of a session when it is told to or is out of time', async () => {
  const { client } = service({ frames: FIRST_FRAME, endless: true });
  await expect(run(client, { signal: AbortSignal.timeout(100) })).rejects.toThrow('aborted due to timeout');
});

test('the demo shows the events that came when the stream ends too early', async () => {
  const { client } = service({ frames: FIRST_FRAME });
  expect(await run(client)).toEqual(['user.message']);
});
