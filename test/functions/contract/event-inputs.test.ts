import { describe, expect, it } from 'vitest';
import { EventsSend } from '#contract/events.ts';
import { explain } from '#core/requests/explain.ts';

/** The refusal's message, or `accepted`. */
function verdict(event: object): string {
  const parsed = EventsSend.safeParse({ events: [event] });
  return parsed.success ? 'accepted' : explain(parsed.error, 'body');
}

const plain = { type: 'text', media_type: 'text/plain', data: 'A' };
const message = (fields: object) => ({
  type: 'user.message',
  content: [{ type: 'document', source: plain, ...fields }],
});
const result = (fields: object) => ({
  type: 'user.custom_tool_result',
  custom_tool_use_id: 'sevt_1',
  content: [
    { type: 'search_result', source: 'a.com', title: 'A', content: [], citations: { enabled: false }, ...fields },
  ],
});
const denial = (deny_message: string) => ({
  type: 'user.tool_confirmation',
  tool_use_id: 'sevt_1',
  result: 'deny',
  deny_message,
});

describe('half of a surrogate pair, which would make every later model request fail,', () => {
  it.each([
    ['a denial', denial, 'events.0.deny_message'],
    ['the title of a document', (title: string) => message({ title }), 'events.0.content.0.title'],
    ['the context of a document', (context: string) => message({ context }), 'events.0.content.0.context'],
    ['the title of a search result', (title: string) => result({ title }), 'events.0.content.0.title'],
    ['the source of a search result', (source: string) => result({ source }), 'events.0.content.0.source'],
  ])('is refused in %s', (_where, having, field) => {
    expect(verdict(having('whole \ud83d\ude00'))).toBe('accepted');
    expect(verdict(having('half \ud83d'))).toBe(`${field}: must be well-formed Unicode`);
  });
});
