/** The model adapter against the Messages API on the wire, as the stand-in speaks it. */
import { afterEach, describe, expect, it } from 'vitest';
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
    [400, 'invalid_request_error', 'model_refused_request', false],
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

  it('can be tried again when nobody listens', async () => {
    const model = createAnthropicModel({ baseUrl: 'http://127.0.0.1:9', apiKey: async () => 'sk-test' });
    await expect(ask(model)).rejects.toMatchObject({ code: 'model_unreachable' });
  });
});
