import { connect } from 'node:net';
import Anthropic, { APIError } from '@anthropic-ai/sdk';
import type { RawMessageStreamEvent } from '@anthropic-ai/sdk/resources/messages';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Reply } from '#infra/local/model/script.ts';
import { startStandIn, type StandIn } from './stand-in.ts';
import { requestOf, tool } from './conversation.ts';

let standIn: StandIn;
let client: Anthropic;

beforeEach(async () => {
  standIn = await startStandIn();
  client = new Anthropic({ baseURL: standIn.url, apiKey: 'test-key', maxRetries: 0 });
});
afterEach(() => standIn.close());

const hello = requestOf([{ role: 'user', content: 'hello' }], [tool('bash')]);

function answerWith(reply: Reply): void {
  standIn.script(() => reply);
}

async function eventsOf(reply: Reply): Promise<RawMessageStreamEvent[]> {
  answerWith(reply);
  const events: RawMessageStreamEvent[] = [];
  for await (const event of client.messages.stream(hello)) events.push(event);
  return events;
}

describe('a streamed answer of the stand-in', () => {
  test('reaches the official client as thinking with its signature, text and tool use', async () => {
    answerWith({
      thinking: 'let me see',
      text: ['one ', 'two'],
      tools: [
        { id: 'toolu_1', name: 'bash', input: { command: 'ls "a b"' } },
        { name: 'bash', input: {} },
      ],
    });
    const message = await client.messages.stream(hello).finalMessage();
    expect(message.stop_reason).toBe('tool_use');
    expect(message.content).toEqual([
      { type: 'thinking', thinking: 'let me see', signature: expect.stringMatching(/^standin\./) },
      { type: 'text', text: 'one two', citations: null },
      { type: 'tool_use', id: 'toolu_1', name: 'bash', input: { command: 'ls "a b"' }, caller: { type: 'direct' } },
      { type: 'tool_use', id: expect.stringMatching(/^toolu_/), name: 'bash', input: {}, caller: { type: 'direct' } },
    ]);
  });

  test('has the frames of the API in order, one delta per chunk', async () => {
    const events = await eventsOf({ text: ['a', 'b'] });
    expect(events.map((event) => event.type)).toEqual([
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
  });

  test('starts a tool block before its input is known', async () => {
    const events = await eventsOf({ tools: [{ name: 'bash', input: { command: 'ls' } }] });
    const deltas = events.flatMap((event) =>
      event.type === 'content_block_delta' && event.delta.type === 'input_json_delta' ? [event.delta.partial_json] : [],
    );
    expect(events[1]).toMatchObject({ content_block: { type: 'tool_use', name: 'bash', input: {} } });
    expect(deltas[0]).toBe('');
    expect(deltas.join('')).toBe('{"command":"ls"}');
  });

  test('has the usage and stop reason of the script, and an estimate without them', async () => {
    answerWith({ text: 'x', stopReason: 'max_tokens', usage: { input_tokens: 7, cache_read_input_tokens: 5 } });
    const message = await client.messages.stream(hello).finalMessage();
    expect(message.stop_reason).toBe('max_tokens');
    expect(message.usage).toMatchObject({ input_tokens: 7, cache_read_input_tokens: 5, output_tokens: 1 });
  });

  test('waits before the frame that the script holds back', async () => {
    const gate = Promise.withResolvers<void>();
    answerWith({ text: 'late', hold: gate.promise });
    const stream = client.messages.stream(hello);
    const seen: string[] = [];
    stream.on('streamEvent', (event) => seen.push(event.type));
    await standIn.waitForRequest(1);
    await stream.withResponse();
    await expect.poll(() => seen).toEqual(['message_start']);
    gate.resolve();
    expect(await stream.finalText()).toBe('late');
  });

  test('spreads its deltas over the time that the script sets', async () => {
    const started = performance.now();
    await eventsOf({ text: ['a', 'b', 'c'], chunkDelayMs: 10, delayMs: 10 });
    expect(performance.now() - started).toBeGreaterThanOrEqual(35);
  });
});

describe('an answer of the stand-in that fails', () => {
  test('has the error envelope with its status and headers', async () => {
    answerWith({
      error: { status: 429, type: 'rate_limit_error', message: 'slow down', headers: { 'retry-after': '3' } },
    });
    const error = await failure(client.messages.stream(hello).done());
    expect(error).toMatchObject({ status: 429, type: 'rate_limit_error', apiMessage: 'slow down' });
    expect(error.headers?.get('retry-after')).toBe('3');
  });

  test('in the middle of a stream is an error event after the earlier frames', async () => {
    answerWith({
      text: ['partly'],
      error: { status: 529, type: 'overloaded_error', message: 'Overloaded', afterFrames: 4 },
    });
    const stream = client.messages.stream(hello);
    let text = '';
    stream.on('text', (delta) => (text += delta));
    expect(await failure(stream.done())).toMatchObject({ status: undefined, type: 'overloaded_error' });
    expect(text).toBe('partly');
  });

  test('by a cut in the middle of a stream is a lost connection after the earlier frames', async () => {
    answerWith({ text: ['kept', 'lost'], cutAfter: 4 });
    const stream = client.messages.stream(hello);
    let text = '';
    stream.on('text', (delta) => (text += delta));
    await expect(stream.done()).rejects.toThrow(/terminated|Connection error/);
    expect(text).toBe('kept');
  });

  test('because the script throws is a 500', async () => {
    standIn.script(() => {
      throw new Error('no such scene');
    });
    expect(await failure(client.messages.stream(hello).finalMessage())).toMatchObject({
      status: 500,
      type: 'api_error',
    });
  });
});

describe('a request that the stand-in refuses', () => {
  test('gets 400 with the field’s name, and neither reaches the script nor is counted', async () => {
    const error = await failure(client.messages.stream(requestOf([{ role: 'user', content: '' }])).finalMessage());
    expect(error).toMatchObject({ status: 400, type: 'invalid_request_error' });
    expect(error.apiMessage).toMatch(/^messages\.0\.content/);
    expect(standIn.requests).toHaveLength(0);
    expect(standIn.refusals).toHaveLength(1);
  });

  test('gets 400 for a body that is not JSON or asks for no stream, and 404 for another path', async () => {
    const headers = { 'x-api-key': 'k', 'anthropic-version': '2023-06-01' };
    const broken = await fetch(`${standIn.url}/v1/messages`, { method: 'POST', headers, body: '{' });
    const whole = await fetch(`${standIn.url}/v1/messages`, { method: 'POST', headers, body: JSON.stringify(hello) });
    const elsewhere = await fetch(`${standIn.url}/v1/complete`, { method: 'POST', headers, body: '{}' });
    expect([broken.status, whole.status, elsewhere.status]).toEqual([400, 400, 404]);
    expect(await elsewhere.json()).toMatchObject({ type: 'error', error: { type: 'not_found_error' } });
  });
});

describe('the requests that the stand-in records', () => {
  test('have content and time, and the newest 200 are kept', async () => {
    answerWith({ text: 'ok' });
    const before = Date.now();
    for (let n = 0; n < 201; n += 1) await client.messages.stream(hello).finalMessage();
    const second = await standIn.waitForRequest(2);
    expect(standIn.requests).toHaveLength(200);
    expect(second).toMatchObject({ index: 1, request: { model: 'claude-test-1' } });
    expect(second.arrivedAtMs).toBeGreaterThanOrEqual(before - 1);
    await expect(standIn.waitForRequest(1)).rejects.toThrow(/request 1 is not kept/);
  });

  test('can be waited for before they come', async () => {
    answerWith({ text: 'ok' });
    const waiting = [standIn.waitForRequest(1), standIn.waitForRequest(1)];
    await client.messages.stream(hello).finalMessage();
    expect((await Promise.all(waiting)).map(({ index }) => index)).toEqual([0, 0]);
  });
});

test('a recorded request tells when it ended, and whether the client left before the answer', async () => {
  answerWith({ text: 'all of it' });
  await client.messages.stream(hello).finalMessage();
  const answered = await standIn.waitForRequest(1);
  expect(await answered.ended).toMatchObject({ by: 'answer', atMs: expect.any(Number) });
  answerWith({ text: 'never', hold: new Promise(() => {}) });
  const stream = client.messages.stream(hello);
  const left = await standIn.waitForRequest(2);
  const failed = failure(stream.done());
  stream.abort();
  await failed;
  expect(await left.ended).toMatchObject({ by: 'client' });
});

test('the stand-in ends held streams and frees the port when it closes', async () => {
  answerWith({ text: 'never', hold: new Promise(() => {}) });
  const stream = client.messages.stream(hello);
  await standIn.waitForRequest(1);
  const ended = failure(stream.done());
  await standIn.close();
  await ended;
  await expect(connects(new URL(standIn.url))).resolves.toBe(false);
});

async function failure(promise: Promise<unknown>): Promise<APIError> {
  const error = await promise.then(
    () => new Error('it succeeded'),
    (cause: unknown) => cause,
  );
  if (error instanceof APIError) return error;
  throw new Error('not an API error', { cause: error });
}

function connects({ hostname, port }: URL): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  });
}
