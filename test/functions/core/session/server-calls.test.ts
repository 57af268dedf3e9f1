import { describe, expect, it } from 'vitest';
import { ToolContent } from '#contract/content.ts';
import type { Command } from '#core/session/commands.ts';
import { serverCalls } from '#core/session/server-calls.ts';
import { answerWith, claim, given, outline, send } from '#test/functions/core/given.ts';

const running = () => given().when(send('hi')).when(claim());
const use = (id: string, name: string, input: object) => ({ type: 'server_tool_use', id, name, input });
const SEARCH = use('srvtoolu_1', 'web_search', { query: 'weather' });
const FOUND = {
  type: 'web_search_tool_result',
  tool_use_id: 'srvtoolu_1',
  content: [
    { type: 'web_search_result', url: 'https://a.example/', title: 'A', encrypted_content: 'x', page_age: null },
  ],
};
const FETCH = use('srvtoolu_2', 'web_fetch', { url: 'https://a.example/' });
const FETCHED = {
  type: 'web_fetch_tool_result',
  tool_use_id: 'srvtoolu_2',
  content: {
    type: 'web_fetch_result',
    url: 'https://a.example/',
    retrieved_at: null,
    content: { type: 'document', title: 'A', source: { type: 'text', media_type: 'text/plain', data: 'Sunny.' } },
  },
};
const TEXT = { type: 'text', text: 'It is sunny.' };

const resultsIn = (entries: readonly object[]) =>
  entries
    .flatMap((entry) => ('event' in entry ? [entry.event as { type: string }] : []))
    .filter(({ type }) => type === 'agent.tool_use' || type === 'agent.tool_result');

describe('a call that the provider made within its answer', () => {
  it('is appended as an allowed use with its result, before the request ends', () => {
    const { then, head } = running().when(answerWith({ blocks: [SEARCH, FOUND, FETCH, FETCHED, TEXT] }));
    expect(outline(then)).toEqual([
      '[model.answered]',
      'agent.message',
      'agent.tool_use',
      'agent.tool_result',
      'agent.tool_use',
      'agent.tool_result',
      'span.model_request_end',
      'session.thread_status_idle',
      'session.usage',
      'session.status_idle',
    ]);
    expect(resultsIn(then)).toMatchObject([
      { name: 'web_search', input: { query: 'weather' }, evaluated_permission: 'allow' },
      { is_error: false, content: [{ type: 'search_result', source: 'https://a.example/', title: 'A' }] },
      { name: 'web_fetch', input: { url: 'https://a.example/' } },
      { is_error: false, content: [{ type: 'document', title: 'A', source: { type: 'text', data: 'Sunny.' } }] },
    ]);
    expect(head.state.usage.server_tool_use).toEqual({ web_search_requests: 1, web_fetch_requests: 1 });
    expect(head.state.calls).toEqual([]);
  });

  it('that failed is appended with the provider’s error code, and is not counted', () => {
    const failed = {
      type: 'web_fetch_tool_result',
      tool_use_id: 'srvtoolu_2',
      content: { type: 'web_fetch_tool_result_error', error_code: 'url_not_allowed' },
    };
    const { then, head } = running().when(answerWith({ blocks: [FETCH, failed, TEXT] }));
    expect(resultsIn(then)[1]).toMatchObject({ is_error: true, content: [{ text: 'url_not_allowed' }] });
    expect(head.state.usage.server_tool_use.web_fetch_requests).toBe(0);
  });

  it('with a result that comes after a pause is appended when the result comes, once, with its input', () => {
    const paused = running().when(answerWith({ stopReason: 'pause_turn', blocks: [SEARCH] }));
    expect(resultsIn(paused.then)).toEqual([]);
    expect(paused.head.state.status).toBe('running');
    const resumed = paused
      .when(claim())
      .when({ ...answerWith({ blocks: [FOUND, TEXT] }), earlier: [SEARCH] } as Command);
    expect(resultsIn(resumed.then)).toMatchObject([
      { name: 'web_search', input: { query: 'weather' } },
      { is_error: false },
    ]);
  });
});

const fetched = (source: object, title: string | null = 'A') => ({
  type: 'web_fetch_tool_result',
  tool_use_id: FETCH.id,
  content: { type: 'web_fetch_result', url: 'https://a.com', content: { type: 'document', source, title } },
});
const pdf = (data: string) => fetched({ type: 'base64', media_type: 'application/pdf', data });
const text = (data: string) => fetched({ type: 'text', media_type: 'text/plain', data });

describe('content that the provider fetched', () => {
  it('is appended as a document', () => {
    expect(serverCalls([FETCH, pdf('QUJD')], [])).toMatchObject([
      { name: 'web_fetch', input: FETCH.input, isError: false, content: [{ source: { data: 'QUJD' }, title: 'A' }] },
    ]);
    expect(serverCalls([FETCH, text('ABC')], [])).toMatchObject([{ content: [{ source: { data: 'ABC' } }] }]);
  });

  it.each([
    ['a PDF larger than a listing carries', pdf('QUJD'.repeat(1_500_000))],
    ['a text larger than a listing carries', text('"'.repeat(2_000_000))],
    ['a PDF without content', pdf('')],
    ['a PDF in lines', pdf('QUJD\nQUJD')],
  ])('is appended in a form that can be read again: %s', (_name, result) => {
    const [call] = serverCalls([FETCH, result], []);
    expect(ToolContent.safeParse(call?.content).success).toBe(true);
    expect(JSON.stringify(call?.content).length).toBeLessThan(1000);
    expect(call?.isError).toBe(false);
  });

  it('is appended with its error code when it failed', () => {
    const failed = { type: 'web_fetch_tool_result_error', error_code: 'url_not_allowed' };
    expect(serverCalls([FETCH, { ...fetched({}), content: failed }], [])).toMatchObject([
      { isError: true, content: [{ type: 'text', text: 'url_not_allowed' }] },
    ]);
  });

  it('is appended when its result is there, whichever answer made the call', () => {
    expect(serverCalls([FETCH], [])).toEqual([]);
    expect(serverCalls([text('ABC')], [FETCH])).toHaveLength(1);
    expect(serverCalls([text('ABC')], [])).toEqual([]);
  });
});
