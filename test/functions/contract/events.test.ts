import { describe, expect, it } from 'vitest';
import { EventsSend } from '#contract/events.ts';
import { explain } from '#core/requests/explain.ts';

const HALF = 'half \ud83d';

/** The refusal's message, or `accepted`. */
function verdict(event: object): string {
  const parsed = EventsSend.safeParse({ events: [event] });
  return parsed.success ? 'accepted' : explain(parsed.error, 'body');
}

describe('text that the model provider cannot read', () => {
  const said = (...content: readonly object[]) => ({ type: 'user.message', content });
  const document = { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'Hi.' } };
  const searched = { type: 'search_result', source: 's', title: 't', content: [], citations: { enabled: true } };
  const found = (fields: object) => ({
    type: 'user.custom_tool_result',
    custom_tool_use_id: 'sevt_1',
    content: [{ ...searched, ...fields }],
  });
  const denial = { type: 'user.tool_confirmation', tool_use_id: 'sevt_1', result: 'deny' };

  it.each([
    ['content.0.text', said({ type: 'text', text: HALF })],
    ['content.0.title', said({ ...document, title: HALF })],
    ['content.0.context', said({ ...document, context: HALF })],
    ['content.0.source', found({ source: HALF })],
    ['content.0.title', found({ title: HALF })],
    ['deny_message', { ...denial, deny_message: HALF }],
  ])('is refused as %s', (path, event) => {
    expect(verdict(event)).toBe(`events.0.${path}: must be well-formed Unicode`);
  });

  it('is only that: all other text is accepted', () => {
    const events = [said({ ...document, title: '😀', context: null }), found({}), { ...denial, deny_message: '😀' }];
    expect(events.map(verdict)).toEqual(['accepted', 'accepted', 'accepted']);
  });
});
