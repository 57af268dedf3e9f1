import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { createAnthropicModel } from '#aws/model/model.anthropic.ts';
import { Fault } from '#core/ports/errors.ts';
import { startStandIn } from '#test/model/stand-in.ts';
import { ask, modelSuite, PATIENT, QUIET, REQUEST } from './model.suite.ts';

const create = (baseUrl: string, silence = PATIENT) =>
  createAnthropicModel({ baseUrl, apiKey: async () => 'sk-test', silence });

modelSuite({
  name: 'Claude API',
  create,
  modelId: 'claude-opus-5',
  contentType: 'text/event-stream',
  errors: { rateLimited: 'rate_limit_error', refused: 'invalid_request_error' },
});

it('the Claude API gets requests with the API key', async () => {
  const standIn = await startStandIn({ script: () => ({ text: 'ok' }) });
  onTestFinished(standIn.close);
  await ask(create(standIn.url));
  expect(standIn.requests[0]?.headers).toMatchObject({ authorization: 'Bearer sk-test' });
});

it('a request for a fast answer has the beta header, and other requests have not', async () => {
  const standIn = await startStandIn({ script: () => ({ text: 'ok' }) });
  onTestFinished(standIn.close);
  await ask(create(standIn.url));
  await ask(create(standIn.url), { request: { ...REQUEST, extra: { speed: 'fast' } } });
  const [plain, fast] = standIn.requests;
  expect(plain?.headers['anthropic-beta']).toBeUndefined();
  expect(fast).toMatchObject({
    request: { speed: 'fast' },
    headers: { 'anthropic-beta': 'fast-mode-2026-02-01' },
  });
});

it('a missing or refused model key is read again by the next request', async () => {
  const keys = [null, 'sk-old', 'sk-new'];
  const standIn = await startStandIn({
    script: (_request, index) =>
      index === 0 ? { error: { status: 401, type: 'authentication_error', message: 'no' } } : { text: 'ok' },
  });
  onTestFinished(standIn.close);
  const apiKey = async () => {
    const key = keys.shift();
    if (key == null) throw new Fault('model_refused_request', 'no key');
    return key;
  };
  const model = createAnthropicModel({ baseUrl: standIn.url, apiKey, silence: PATIENT });
  await expect(ask(model)).rejects.toThrow('no key');
  await expect(ask(model)).rejects.toThrow('refused the API key (HTTP 401): check the value of the model key secret');
  await ask(model);
  await ask(model);
  expect(standIn.requests.map(({ headers }) => headers.authorization)).toEqual([
    'Bearer sk-old',
    'Bearer sk-new',
    'Bearer sk-new',
  ]);
});

it('counts that a gateway leaves out are zero, so that the usage can be read again', async () => {
  const standIn = await startStandIn({ script: () => ({ text: 'ok' }) });
  onTestFinished(standIn.close);
  expect((await ask(create(standIn.url))).usage.input_tokens).toBeGreaterThan(0);
  const without = (text: string) =>
    text.replaceAll(/"(input_tokens|cache_read_input_tokens)":\d+,?/g, '').replaceAll(',}', '}');
  const answer = await askThrough(standIn.url, without);
  expect(answer.usage).toMatchObject({ input_tokens: 0, cache_read_input_tokens: 0 });
});

it.each([
  ['bio', 'bio'],
  ['a_category_of_tomorrow', null],
])('a refusal in the category %s is reported as %s, which clients know', async (sent, told) => {
  const standIn = await startStandIn({ script: () => ({ text: 'ok', stopReason: 'refusal' }) });
  onTestFinished(standIn.close);
  const details = JSON.stringify({ type: 'refusal', category: sent, explanation: 'no' });
  const answer = await askThrough(standIn.url, (text) =>
    text.replaceAll('"stop_details":null', `"stop_details":${details}`),
  );
  expect(answer).toMatchObject({ stopReason: 'refusal', stopDetails: { category: told, explanation: 'no' } });
});

/** A gateway between client and stand-in that changes the answer. */
async function askThrough(target: string, edit: (text: string) => string) {
  const gateway = createServer((request, response) => void relay(request, response, { target, edit }));
  await new Promise<void>((listening) => gateway.listen(0, '127.0.0.1', listening));
  onTestFinished(() => void gateway.close());
  const { port } = gateway.address() as AddressInfo;
  return ask(create(`http://127.0.0.1:${port}`));
}

async function relay(
  request: IncomingMessage,
  response: ServerResponse,
  { target, edit }: { readonly target: string; readonly edit: (text: string) => string },
): Promise<void> {
  const body: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) body.push(chunk);
  const headers = { 'content-type': 'application/json', 'x-api-key': 'sk-test', 'anthropic-version': '2023-06-01' };
  const answer = await fetch(`${target}${request.url}`, { method: 'POST', headers, body: Buffer.concat(body) });
  const text = edit(await answer.text());
  response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' }).end(text);
}

it('the texts of an answer are numbered without the blocks between them, and streamed from their first piece', async () => {
  const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude-opus-5', content: [] };
  const usage = { input_tokens: 1, output_tokens: 1 };
  const frames = [
    { type: 'message_start', message: { ...message, stop_reason: null, stop_sequence: null, usage } },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: 'a' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'b' } },
    { type: 'content_block_stop', index: 0 },
    { type: 'content_block_start', index: 1, content_block: { type: 'redacted_thinking', data: 'x' } },
    { type: 'content_block_stop', index: 1 },
    { type: 'content_block_start', index: 2, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 2, delta: { type: 'text_delta', text: 'c' } },
    { type: 'content_block_stop', index: 2 },
    { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 1 } },
    { type: 'message_stop' },
  ];
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end(frames.map((frame) => `event: ${frame.type}\ndata: ${JSON.stringify(frame)}\n\n`).join(''));
  });
  onTestFinished(() => void server.close());
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const heard: unknown[] = [];
  const listener = {
    ...QUIET,
    onThinking: () => heard.push('thinking'),
    onText: (block: number, text: string) => heard.push([block, text]),
  };
  const answer = await ask(create(`http://127.0.0.1:${port}`), { listener });
  expect(answer.blocks).toMatchObject([{ text: 'ab' }, { type: 'redacted_thinking' }, { text: 'c' }]);
  expect(heard).toEqual([[0, 'a'], [0, 'b'], 'thinking', [1, 'c']]);
});
