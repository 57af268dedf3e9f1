/** The contract of the model port: every provider passes it, with a stand-in that speaks its wire protocol. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { SilenceSeconds } from '#contract/models.ts';
import type { Model, ModelListener, ModelRequest } from '#core/ports/model.ts';
import { startStandIn, type StandIn } from '#test/model/stand-in.ts';

export const REQUEST: ModelRequest = {
  model: 'claude-opus-5',
  max_tokens: 1000,
  system: [{ type: 'text', text: 'Be brief.' }],
  messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
  tools: [{ name: 'bash', description: 'Run a command.', input_schema: { type: 'object' } }],
  extra: {},
};
/** No answer of the stand-in is silent for so long. */
export const PATIENT: SilenceSeconds = { default: 120, models: {} };
export const QUIET: ModelListener = {
  onFirstToken: () => undefined,
  onToolStart: () => undefined,
  onThinking: () => undefined,
  onText: () => undefined,
};

export const ask = (
  model: Model,
  { request = REQUEST, listener = QUIET, signal = new AbortController().signal } = {},
) => model.ask(request, listener, signal);

interface Provider {
  readonly name: string;
  readonly create: (baseUrl: string, silence?: SilenceSeconds) => Model;
  /** The provider's id of the model. */
  readonly modelId: string;
  /** An answer that is not in the provider's format. */
  readonly contentType: string;
  /** The names of the provider's errors within a stream. */
  readonly errors: { readonly rateLimited: string; readonly refused: string };
}

export function modelSuite({ name, create, modelId, contentType, errors }: Provider): void {
  const request = { ...REQUEST, model: modelId };

  describe(`the model, ${name}`, () => {
    let standIn: StandIn | null = null;
    afterEach(async () => {
      await standIn?.close();
      standIn = null;
    });

    async function modelWith(script: NonNullable<NonNullable<Parameters<typeof startStandIn>[0]>['script']>) {
      standIn = await startStandIn({ script });
      return create(standIn.url);
    }

    it('sends the request with its output limit and every setting of the model', async () => {
      const model = await modelWith(() => ({ text: 'ok' }));
      const extra = { thinking: { type: 'adaptive' }, output_config: { effort: 'low' } };
      await ask(model, { request: { ...request, extra } });
      const { system, messages, tools, max_tokens } = request;
      expect(standIn?.requests[0]?.request).toEqual({
        ...{ model: modelId, system, messages, tools, max_tokens },
        ...extra,
        stream: true,
      });
    });

    it('returns the raw blocks, thinking signatures included, and the usage', async () => {
      const model = await modelWith(() => ({ thinking: 'hm', text: ['Hel', 'lo. ✓'] }));
      const answer = await ask(model, { request });
      expect(answer.blocks.map((block) => block.type)).toEqual(['thinking', 'text']);
      expect(answer.blocks[0]).toHaveProperty('signature', expect.stringMatching(/./));
      expect(answer.blocks[1]).toHaveProperty('text', 'Hello. ✓');
      expect(answer).toMatchObject({ stopReason: 'end_turn', usage: { output_tokens: expect.any(Number) } });
    });

    it('reports the first token, and a tool as soon as it begins to stream', async () => {
      const model = await modelWith(() => ({ tools: [{ name: 'bash', input: { command: 'ls' } }] }));
      const heard: string[] = [];
      const listener = {
        ...QUIET,
        onFirstToken: () => heard.push('first'),
        onToolStart: (tool: string) => heard.push(tool),
      };
      const answer = await ask(model, { request, listener });
      expect(heard).toContain('bash');
      expect(answer.blocks.at(-1)).toMatchObject({ type: 'tool_use', name: 'bash', input: { command: 'ls' } });
    });

    it('reports text as it arrives, by the number of its text block, and thinking', async () => {
      const tools = [{ name: 'bash', input: { command: 'ls' } }];
      const model = await modelWith(() => ({ thinking: 'hm', text: ['one ', 'two'], tools }));
      const heard: unknown[] = [];
      const listener = {
        ...QUIET,
        onThinking: () => heard.push('thinking'),
        onText: (block: number, text: string) => heard.push([block, text]),
      };
      await ask(model, { request, listener });
      expect(heard).toEqual(['thinking', [0, 'one '], [0, 'two']]);
    });

    it.each([
      [529, 'overloaded_error', 'model_overloaded', true],
      [429, 'rate_limit_error', 'model_rate_limited', true],
      [500, 'api_error', 'model_unreachable', true],
      [503, 'api_error', 'model_unreachable', true],
      [400, 'invalid_request_error', 'model_refused_input', false],
      [413, 'request_too_large', 'model_input_too_large', false],
      [401, 'authentication_error', 'model_refused_request', false],
      [403, 'permission_error', 'model_refused_request', false],
      [402, 'billing_error', 'model_billing', false],
    ])('turns HTTP %i into the fault %s → %s, and quotes nothing', async (status, type, code, retryable) => {
      const model = await modelWith(() => ({ error: { status, type, message: 'canary in the message' } }));
      const fault = await ask(model, { request }).catch((error: unknown) => error);
      expect(fault).toMatchObject({ code, retryable });
      expect(String(fault)).not.toContain('canary');
    });

    it.each([
      'prompt is too long: 208310 tokens > 200000 maximum',
      'input length and `max_tokens` exceed context limit: 188240 + 32000 > 200000',
      'Input is too long for requested model.',
    ])('recognises a request that is larger than the window: %s', async (message) => {
      const error = { status: 400, type: errors.refused, message };
      const refused = await modelWith(() => ({ error }));
      await expect(ask(refused, { request })).rejects.toMatchObject({
        code: 'model_input_too_large',
        retryable: false,
      });
      const ended = await modelWith(() => ({ text: ['a', 'b'], error: { ...error, status: 200, afterFrames: 3 } }));
      await expect(ask(ended, { request })).rejects.toMatchObject({ code: 'model_input_too_large' });
    });

    it.each([
      [errors.rateLimited, 'model_rate_limited'],
      [errors.refused, 'model_refused_input'],
      ['something_else', 'model_unreachable'],
      ['constructor', 'model_unreachable'],
    ])('turns %s within the stream into the fault %s, and quotes nothing', async (type, code) => {
      const model = await modelWith(() => ({
        text: ['a', 'b'],
        error: { status: 200, type, message: 'canary in the message', afterFrames: 3 },
      }));
      const fault = await ask(model, { request }).catch((error: unknown) => error);
      expect(fault).toMatchObject({ code });
      expect(String(fault)).not.toContain('canary');
    });

    it('reports how long the provider asks to wait', async () => {
      const headers = { 'retry-after': '7' };
      const model = await modelWith(() => ({
        error: { status: 429, type: 'rate_limit_error', message: 'slow down', headers },
      }));
      await expect(ask(model, { request })).rejects.toMatchObject({ retryAfterSeconds: 7 });
    });

    it('makes no request twice by itself', async () => {
      const model = await modelWith(() => ({ error: { status: 500, type: 'api_error', message: 'broken' } }));
      await expect(ask(model, { request })).rejects.toMatchObject({ code: 'model_unreachable' });
      expect(standIn?.requests).toHaveLength(1);
    });

    it('throws a retryable fault when an answer breaks off', async () => {
      const model = await modelWith(() => ({ text: ['a', 'b', 'c'], cutAfter: 4 }));
      await expect(ask(model, { request })).rejects.toMatchObject({ code: 'model_unreachable' });
    });

    it.each([
      ['before its headers', { text: 'late', delayMs: 60_000 }],
      ['after its first frame', { text: 'late', hold: new Promise(() => undefined) }],
      ['after a delta', { text: ['one', 'two'], hold: new Promise(() => undefined), holdBefore: 5 }],
    ])(
      'is cut off when it is silent for longer than its limit %s, and is retryable as an overload',
      async (_when, reply) => {
        standIn = await startStandIn({ script: () => reply });
        const model = create(standIn.url, { default: 120, models: { [modelId]: 0.3 } });
        const fault = await ask(model, { request }).catch((error: unknown) => error);
        expect(fault).toMatchObject({ code: 'model_overloaded', retryable: true });
      },
    );

    it('may take longer than its limit when it sends something all the time', async () => {
      const text = Array.from({ length: 12 }, (_, index) => `${index} `);
      standIn = await startStandIn({ script: () => ({ text, chunkDelayMs: 100 }) });
      const answer = await ask(create(standIn.url, { default: 0.6, models: {} }), { request });
      expect(answer.blocks[0]).toHaveProperty('text', text.join(''));
    });

    it('has the limit of all models when its name is one that every object has', async () => {
      const model = await modelWith(() => ({ text: ['a', 'b'], chunkDelayMs: 50 }));
      const named = { ...request, model: 'constructor' };
      expect((await ask(model, { request: named })).blocks[0]).toHaveProperty('text', 'ab');
    });

    it.each([
      ['messages.3.content.1.image.source: of the canary', 'messages.3.content.1'],
      ['messages.2.content.0.tool_result.content.4: the canary', 'messages.2.content.0.tool_result.content.4'],
      ['tools.12.custom.input_schema: the canary', 'tools.12'],
      ['canary: could not process image', null],
    ])('tells the place that the provider refuses, and quotes nothing: %s', async (message, path) => {
      const model = await modelWith(() => ({ error: { status: 400, type: errors.refused, message } }));
      await expect(ask(model, { request })).rejects.toMatchObject({ code: 'model_refused_input', path });
    });

    it('is cancelled by its signal', async () => {
      const model = await modelWith(() => ({ text: 'never', hold: new Promise(() => undefined) }));
      const cutOff = new AbortController();
      const answering = ask(model, { request, signal: cutOff.signal });
      await standIn?.waitForRequest(1);
      cutOff.abort();
      await expect(answering).rejects.toMatchObject({ code: 'model_unreachable' });
    });

    it('logs no frame that it cannot parse, because it may be an answer', async () => {
      const server = createServer((_request, response) => {
        response.writeHead(200, { 'content-type': contentType });
        response.end('event: content_block_delta\ndata: {"canary": tru\n\n');
      });
      await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
      onTestFinished(() => void server.close());
      const { port } = server.address() as AddressInfo;
      const written = vi.spyOn(console, 'error').mockImplementation(() => undefined);
      onTestFinished(() => written.mockRestore());
      const fault = await ask(create(`http://127.0.0.1:${port}`), { request }).catch((error: unknown) => error);
      expect(fault).toMatchObject({ code: 'model_unreachable' });
      expect(String(fault)).not.toContain('canary');
      expect(written).not.toHaveBeenCalled();
    });

    it('throws a retryable fault when no server listens', async () => {
      await expect(ask(create('http://127.0.0.1:9'), { request })).rejects.toMatchObject({ code: 'model_unreachable' });
    });
  });
}
