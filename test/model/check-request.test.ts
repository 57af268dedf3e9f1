import { describe, expect, test } from 'vitest';
import { checkRequest } from './check-request.ts';
import { png } from './png.ts';
import { signThinking } from '#infra/local/model/frames.ts';

const HEADERS = { authorization: 'Bearer k', 'anthropic-version': '2026-10-21' };

const ask = { role: 'user', content: 'hello' };
const use = { type: 'tool_use', id: 'toolu_1', name: 'bash', input: { command: 'ls' } };
const result = { type: 'tool_result', tool_use_id: 'toolu_1', content: [{ type: 'text', text: 'a' }] };
const thinking = { type: 'thinking', thinking: 'hm', signature: signThinking('hm') };
const cached = { type: 'text', text: 'x', cache_control: { type: 'ephemeral' } };
const search = { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: 'q' } };
const found = { type: 'web_search_tool_result', tool_use_id: 'srvtoolu_1', content: [] };
const tool = { name: 'bash', description: 'Runs', input_schema: { type: 'object', properties: {} } };

const image = (data: Buffer, media_type = 'image/png') => ({
  type: 'image',
  source: { type: 'base64', media_type, data: data.toString('base64') },
});
const pdf = (text: string) => ({
  type: 'document',
  source: { type: 'base64', media_type: 'application/pdf', data: Buffer.from(text).toString('base64') },
});
const said = (...content: unknown[]) => conversation({ role: 'user', content });
const hit = { type: 'search_result', source: 'a.com', title: 'A', content: [{ type: 'text', text: 'a' }] };

function request(change: Record<string, unknown>): Record<string, unknown> {
  return { model: 'm', max_tokens: 100, messages: [ask], ...change };
}

function conversation(...messages: unknown[]): Record<string, unknown> {
  return request({ messages, tools: [tool] });
}

function toolRound(...answers: unknown[]): Record<string, unknown> {
  return conversation(ask, { role: 'assistant', content: [use] }, { role: 'user', content: answers });
}

describe('the stand-in for the Messages API accepts', () => {
  test.each<[string, unknown]>([
    ['a plain question', request({})],
    ['a stream with thinking and tools', request({ stream: true, thinking: { type: 'adaptive' }, tools: [tool] })],
    [
      'four breakpoints',
      request({
        system: [cached],
        tools: [{ ...tool, cache_control: cached.cache_control }],
        messages: [{ role: 'user', content: [cached, cached] }],
      }),
    ],
    ['a tool round', toolRound(result)],
    ['text after the results', toolRound(result, { type: 'text', text: 'and then?' })],
    ['an empty tool result', toolRound({ type: 'tool_result', tool_use_id: 'toolu_1' })],
    [
      'thinking that came back unchanged',
      conversation(ask, { role: 'assistant', content: [thinking, use] }, { role: 'user', content: [result] }),
    ],
    [
      'thinking that another model signed',
      conversation(
        ask,
        { role: 'assistant', content: [{ ...thinking, signature: 'EqQB' }, use] },
        { role: 'user', content: [result] },
      ),
    ],
    ['a paused answer at the end', conversation(ask, { role: 'assistant', content: [search] })],
    [
      'a search with its result before the next question',
      conversation(ask, { role: 'assistant', content: [search, found] }, ask),
    ],
    [
      'a search that waits for the result of a call beside it',
      conversation(ask, { role: 'assistant', content: [search, use] }, { role: 'user', content: [result] }),
    ],
    ['a hundred small images', said(...Array.from({ length: 100 }, () => image(png(2000, 10))))],
    ['twenty large images', said(...Array.from({ length: 20 }, () => image(png(2560, 1440))))],
    ['an image by its URL', said({ type: 'image', source: { type: 'url', url: 'https://a.com/a.png' } })],
    ['search results', toolRound({ ...result, content: [hit, hit] })],
    ['a system message after a user message', conversation(ask, { role: 'system', content: 'new rule' })],
  ])('a request with %s', (_name, body) => {
    expect(checkRequest(HEADERS, body)).toBeNull();
  });

  test('a key in the header x-api-key', () => {
    expect(checkRequest({ 'x-api-key': 'k', 'anthropic-version': '2023-06-01' }, request({}))).toBeNull();
  });
});

describe('the stand-in for the Messages API refuses, with the field’s name,', () => {
  test.each<[string, unknown]>([
    ['max_tokens', request({ max_tokens: undefined })],
    ['max_tokens', request({ max_tokens: 0 })],
    ['model', request({ model: '' })],
    ['temperature', request({ temperature: 1 })],
    ['tols', request({ tols: [] })],
    ['thinking.enabled.budget_tokens', request({ thinking: { type: 'enabled', budget_tokens: 1024 } })],
    ['system.0.text', request({ system: [{ type: 'text', text: '' }] })],
    ['tools.1.name', request({ tools: [tool, tool] })],
    ['tools.0.input_schema', request({ tools: [{ name: 'bash' }] })],
    [
      'cache_control',
      request({ system: [cached, cached, cached], messages: [{ role: 'user', content: [cached, cached] }] }),
    ],
    ['messages', conversation()],
    ['messages.0.role', conversation({ role: 'assistant', content: 'hi' }, ask)],
    ['messages.1.role', conversation(ask, ask)],
    ['messages.1.role', conversation(ask, { role: 'assistant', content: 'prefill' })],
    ['messages.0.content', conversation({ role: 'user', content: '' })],
    ['messages.0.content', conversation({ role: 'user', content: [] })],
    ['messages.0.content.0.text', conversation({ role: 'user', content: [{ type: 'text', text: ' \n' }] })],
    ['messages.1.content.0.input', conversation(ask, { role: 'assistant', content: [{ ...use, input: '{}' }] }, ask)],
    [
      'messages.1.content.0.signature',
      conversation(ask, { role: 'assistant', content: [{ ...thinking, thinking: 'hm!' }] }, ask),
    ],
    [
      'messages.1.content.0.signature',
      conversation(ask, { role: 'assistant', content: [{ type: 'thinking', thinking: 'x' }] }, ask),
    ],
    ['messages.1', conversation(ask, { role: 'assistant', content: [use] })],
    ['messages.2.content', conversation(ask, { role: 'assistant', content: [use] }, ask)],
    [
      'messages.2.content',
      conversation(
        ask,
        { role: 'assistant', content: [use, { ...use, id: 'toolu_2' }] },
        { role: 'user', content: [result] },
      ),
    ],
    ['messages.2.content.0.tool_use_id', toolRound({ ...result, tool_use_id: 'toolu_9' })],
    ['messages.2.content.1.tool_use_id', toolRound(result, result)],
    ['messages.2.content.1', toolRound({ type: 'text', text: 'first' }, result)],
    ['messages.2.content.0.content.0.text', toolRound({ ...result, content: [{ type: 'text', text: '' }] })],
    ['messages.0.content.0.tool_use_id', conversation({ role: 'user', content: [result] })],
    ['messages.1.content', conversation(ask, { role: 'assistant', content: [search] }, ask)],
    ['request body', []],
    ['request body', said({ type: 'text', text: 'half \ud99c' })],
    ['request body', conversation(ask, { role: 'assistant', content: [{ ...use, input: { '\ud99c': 1 } }] })],
    ['tools', { ...toolRound(result), tools: undefined }],
    ['tools', { ...toolRound(result), tools: [] }],
    ['tool_choice', request({ tool_choice: { type: 'none' } })],
    ['tools.0.input_schema', request({ tools: [{ ...tool, input_schema: { type: 'object', anyOf: [] } }] })],
    [
      'tools.0.input_schema.properties',
      request({ tools: [{ ...tool, input_schema: { type: 'object', properties: { 'a b': {} } } }] }),
    ],
    ['system.0.text', request({ system: [{ type: 'text', text: ' ' }] })],
    ['messages.1.content.0.id', conversation(ask, { role: 'assistant', content: [{ ...use, id: 'a b' }] }, ask)],
    [
      'messages.1.content.0.name',
      conversation(ask, { role: 'assistant', content: [{ ...use, name: 'bash<|x|>' }] }, ask),
    ],
    ['messages.1.content.0.name', conversation(ask, { role: 'assistant', content: [{ ...use, name: '' }] }, ask)],
    ['messages.1.content.1', conversation(ask, { role: 'assistant', content: [use, use] }, ask)],
    [
      'messages.3.content.0',
      conversation(...(toolRound(result)['messages'] as []), { role: 'assistant', content: [use] }, ask),
    ],
    ['messages.2.content.0.content', toolRound({ ...result, content: [], is_error: true })],
    ['messages.2.content.0.content', toolRound({ ...result, content: undefined, is_error: true })],
    ['messages.2.content.0.content.0.text', toolRound({ ...result, content: [{ type: 'text', text: ' ' }] })],
    [
      'messages.1.content',
      conversation(ask, { role: 'assistant', content: [{ type: 'text', text: 'x' }, thinking] }, ask),
    ],
    ['messages.1.content.0', conversation(ask, { role: 'assistant', content: [found] }, ask)],
    ['messages.1.content.0.id', conversation(ask, { role: 'assistant', content: [{ ...search, id: 'toolu_1' }] }, ask)],
    ['messages.0.content.0.type', said(use)],
    ['messages.0.content.0.image.source.base64', said(image(png(1, 1), 'image/jpeg'))],
    ['messages.0.content.0.image.source.base64.media_type', said(image(png(1, 1), 'image/bmp'))],
    ['messages.0.content.0.image.source.base64.data', said(image(Buffer.from('no image')))],
    ['messages.0.content.0.image.source.base64.data', said(image(png(8001, 1)))],
    ['messages.0.content.0.image.source.base64', said(image(Buffer.concat([png(1, 1), Buffer.alloc(4_000_000)])))],
    ['messages', said(...Array.from({ length: 101 }, () => image(png(1, 1))))],
    ['messages', said(...Array.from({ length: 20 }, () => image(png(1, 1))), image(png(2001, 1)))],
    ['messages', toolRound({ ...result, content: [hit, { ...hit, citations: { enabled: true } }] })],
    ['messages.2.content.0.content.0.search_result.title', toolRound({ ...result, content: [{ ...hit, title: '' }] })],
    ['messages.0.content.0.document.source.base64.data', said(pdf('a text'))],
    ['messages.0.content.0.document.source.base64.data', said(pdf('%PDF-1.7 trailer << /Encrypt 5 0 R >>'))],
    [
      'messages.0.content.0.document.source.type',
      said({ type: 'document', source: { type: 'file', file_id: 'file_1' } }),
    ],
    ['messages.0.content.0.image.source.type', said({ type: 'image', source: { type: 'file', file_id: 'file_1' } })],
    [
      'messages.0.content.0.document.source.text.data',
      said({ type: 'document', source: { type: 'text', media_type: 'text/plain', data: ' ' } }),
    ],
  ])('a request with %s', (field, body) => {
    const refusal = checkRequest(HEADERS, body);
    expect(refusal).toMatchObject({ status: 400, type: 'invalid_request_error' });
    expect(refusal?.message.split(': ')[0]).toBe(field);
  });

  test('a missing key with 401, and a missing version with 400', () => {
    expect(checkRequest({ 'anthropic-version': '2026-10-21' }, request({}))).toMatchObject({ status: 401 });
    expect(checkRequest({ 'x-api-key': 'k' }, request({}))?.message).toMatch(/^anthropic-version: /);
  });
});
