/** The model adapter against the Messages API on the wire, as the stand-in speaks it. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createAnthropicModel } from '#aws/model.anthropic.ts';
import type { ModelListener, ModelRequest } from '#core/ports.ts';
import { startStandIn, type StandIn } from '#infra/local/model/stand-in.ts';

const REQUEST: ModelRequest = {
  model: 'claude-opus-5',
  max_tokens: 1000,
  system: [{ type: 'text', text: 'Be brief.' }],
  messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
  tools: [{ name: 'bash', description: 'Run a command.', input_schema: { type: 'object' } }],
  extra: {},
};
const QUIET: ModelListener = { onFirstToken: () => undefined, onToolStart: () => undefined };

describe('the Anthropic model', () => {
  let standIn: StandIn | null = null;
  afterEach(async () => {
    await standIn?.close();
    standIn = null;
  });

  async function modelWith(script: NonNullable<Parameters<typeof startStandIn>[0]>['script']) {
    standIn = await startStandIn({ ...(script === undefined ? {} : { script }) });
    return createAnthropicModel({ baseUrl: standIn.url, apiKey: async () => 'sk-test' });
  }
  const ask = async (model: Awaited<ReturnType<typeof modelWith>>, listener = QUIET) =>
    model.ask(REQUEST, listener, new AbortController().signal);

  it('returns the raw blocks, thinking signature included, and the usage', async () => {
    const model = await modelWith(() => ({ thinking: 'hm', text: 'Hello.' }));
    const answer = await ask(model);
    expect(answer.blocks.map((block) => block.type)).toEqual(['thinking', 'text']);
    expect(answer.blocks[0]).toHaveProperty('signature', expect.stringMatching(/./));
    expect(answer).toMatchObject({ stopReason: 'end_turn', usage: { output_tokens: expect.any(Number) } });
  });

  it('tells of the first token and of a tool as soon as it begins to stream', async () => {
    const model = await modelWith(() => ({ tools: [{ name: 'bash', input: { command: 'ls' } }] }));
    const heard: string[] = [];
    const answer = await ask(model, {
      onFirstToken: () => heard.push('first'),
      onToolStart: (name) => heard.push(name),
    });
    expect(heard).toContain('bash');
    expect(answer.blocks.at(-1)).toMatchObject({ type: 'tool_use', name: 'bash', input: { command: 'ls' } });
  });

  it.each([
    [529, 'overloaded_error', 'model_overloaded', true],
    [429, 'rate_limit_error', 'model_rate_limited', true],
    [500, 'api_error', 'model_unreachable', true],
    [400, 'invalid_request_error', 'model_refused_input', false],
    [413, 'request_too_large', 'model_refused_input', false],
    [401, 'authentication_error', 'model_refused_request', false],
    [402, 'billing_error', 'model_billing', false],
  ])('turns HTTP %i into the fault %s → %s, and quotes nothing', async (status, type, code, retryable) => {
    const model = await modelWith(() => ({ error: { status, type, message: 'canary in the message' } }));
    const fault = await ask(model).catch((error: unknown) => error);
    expect(fault).toMatchObject({ code, retryable });
    expect(String(fault)).not.toContain('canary');
  });

  it('hands on how long the provider asks to wait', async () => {
    const headers = { 'retry-after': '7' };
    const model = await modelWith(() => ({
      error: { status: 429, type: 'rate_limit_error', message: 'slow down', headers },
    }));
    await expect(ask(model)).rejects.toMatchObject({ retryAfterSeconds: 7 });
  });

  it('can be tried again after an answer that breaks off', async () => {
    const model = await modelWith(() => ({ text: ['a', 'b', 'c'], cutAfter: 4 }));
    await expect(ask(model)).rejects.toMatchObject({ code: 'model_unreachable' });
  });

  it('fills in counts that a gateway leaves out, so that what is stored can be read again', async () => {
    const model = await modelWith(() => ({ text: 'ok' }));
    const gateway = createServer((request, response) => void relay(request, response, standIn?.url ?? ''));
    await new Promise<void>((listening) => gateway.listen(0, '127.0.0.1', listening));
    const { port } = gateway.address() as AddressInfo;
    const through = createAnthropicModel({ baseUrl: `http://127.0.0.1:${port}`, apiKey: async () => 'sk-test' });
    expect((await ask(model)).usage.input_tokens).toBeGreaterThan(0);
    expect((await ask(through)).usage).toMatchObject({ input_tokens: 0, cache_read_input_tokens: 0 });
    gateway.close();
  });

  it('writes no line about a frame it cannot read, which may be an answer', async () => {
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end('event: content_block_delta\ndata: {"canary": tru\n\n');
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as AddressInfo;
    const written = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const model = createAnthropicModel({ baseUrl: `http://127.0.0.1:${port}`, apiKey: async () => 'sk-test' });
    await expect(ask(model)).rejects.toMatchObject({ code: 'model_unreachable' });
    expect(written).not.toHaveBeenCalled();
    written.mockRestore();
    server.close();
  });

  it('can be tried again when nobody listens', async () => {
    const model = createAnthropicModel({ baseUrl: 'http://127.0.0.1:9', apiKey: async () => 'sk-test' });
    await expect(ask(model)).rejects.toMatchObject({ code: 'model_unreachable' });
  });
});

/** A gateway that forwards the answer without the input's token counts. */
async function relay(request: IncomingMessage, response: ServerResponse, target: string): Promise<void> {
  const body: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) body.push(chunk);
  const headers = { 'content-type': 'application/json', 'x-api-key': 'sk-test', 'anthropic-version': '2023-06-01' };
  const answer = await fetch(`${target}${request.url}`, { method: 'POST', headers, body: Buffer.concat(body) });
  const text = (await answer.text())
    .replaceAll(/"(input_tokens|cache_read_input_tokens)":\d+,?/g, '')
    .replaceAll(',}', '}');
  response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' }).end(text);
}
