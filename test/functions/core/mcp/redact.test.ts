import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redact } from '#core/mcp/redact.ts';
import { tracesIn } from '#test/mcp/traces.ts';

const SECRET = 'tok/en+ "1":%é-0123456789abcdef';
const base64 = (text: string) => Buffer.from(text).toString('base64');
const hex = (text: string) => Buffer.from(text).toString('hex');
const backwards = (text: string) => [...text].toReversed().join('');

describe('the redaction of secrets', () => {
  it.each([
    ['as it is', SECRET],
    ['in base64', base64(SECRET)],
    ['in base64url', Buffer.from(SECRET).toString('base64url')],
    ['in base64 behind something', base64(`Bearer ${SECRET}`)],
    ['in base64 between something', base64(`client:${SECRET}:`)],
    ['URL-encoded', encodeURIComponent(SECRET)],
    ['URL-encoded in lower case', encodeURIComponent(SECRET).replaceAll(/%../g, (hex) => hex.toLowerCase())],
    ['in a form', new URLSearchParams({ a: SECRET }).toString()],
    ['in JSON', JSON.stringify({ a: SECRET })],
    ['in JSON with escaped slashes', JSON.stringify({ a: SECRET }).replaceAll('/', '\\/')],
    ['its first half', SECRET.slice(0, 15)],
    ['its last half', SECRET.slice(-15)],
    ['its first half in base64', base64(SECRET.slice(0, 15))],
    ['in hex', hex(SECRET)],
    ['in upper hex', hex(`Bearer ${SECRET}`).toUpperCase()],
    ['its last half in hex', hex(SECRET.slice(-15))],
    ['backwards', backwards(SECRET)],
    ['its first half backwards', backwards(SECRET.slice(0, 15))],
  ])('finds a secret in this form: %s', (_how, echo) => {
    const { text, found } = redact(`before ${echo} after`, ['other', SECRET], '[gone]');
    expect(found).toBe(true);
    expect(text).toContain('[gone]');
    expect(text).toMatch(/^before .* after$/s);
    expect(text).not.toContain(SECRET.slice(0, 15));
    expect(text).not.toContain(SECRET.slice(-15));
    expect(tracesIn(text, [SECRET])).toEqual([]);
  });

  it('leaves other texts unchanged', () => {
    const text = 'tok/en and 0123456 and nothing else';
    expect(redact(text, [SECRET, '', 'no'], '[gone]')).toEqual({ text, found: false });
  });

  it.each(['hunter', 'desserts, part 3'])('does not search for a short secret in halves or reversed: %s', (text) => {
    expect(redact(text, ['hunter2 and 3', 'stressed'], '[gone]')).toEqual({ text, found: false });
  });

  it.each([
    ['a third', SECRET.slice(0, 10)],
    ['one coat over another', base64(backwards(SECRET))],
    ['letters apart', [...SECRET].join(' ')],
  ])('does not find a secret that is deliberately disguised: %s', (_how, text) => {
    expect(redact(text, [SECRET], '[gone]')).toEqual({ text, found: false });
  });

  it('writes the marker literally, without replacement patterns', () => {
    expect(redact(SECRET, [SECRET], '[$&$1]').text).toBe('[$&$1]');
  });

  const secret = fc.string({ minLength: 16, maxLength: 80, unit: 'grapheme' });
  it('finds a secret at every position of a text', () => {
    const coat = fc.constantFrom<(text: string) => string>(
      (text) => text,
      base64,
      encodeURIComponent,
      (text) => JSON.stringify(text),
      (text) => Buffer.from(text).toString('base64url'),
      hex,
      backwards,
    );
    fc.assert(
      fc.property(secret, fc.string(), fc.string(), coat, (token, before, after, wear) => {
        const { text, found } = redact(`${before}${wear(token)}${after}`, [token], '¤');
        expect(found).toBe(true);
        expect(text.includes(wear(token))).toBe(false);
      }),
    );
  });
});
