import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { replacer, type Replacement } from '../../egress-proxy/replacer.ts';

const replacement = (find: string, put: string): Replacement<string> => ({
  find: Buffer.from(find),
  put: Buffer.from(put),
  of: find,
});

/** Each character in turn, with the longest text first: slow and evident. */
function replaced(text: string, texts: readonly Replacement<string>[]): string {
  const longest = texts.toSorted((a, b) => b.find.length - a.find.length);
  let result = '';
  for (let at = 0; at < text.length;) {
    const found = longest.find(({ of }) => text.startsWith(of, at));
    result += found === undefined ? text[at] : found.put.toString();
    at += found?.of.length ?? 1;
  }
  return result;
}

async function streamed(chunks: readonly string[], texts: readonly Replacement<string>[]): Promise<string> {
  const found: string[] = [];
  const stream = replacer(texts).stream((of) => found.push(of));
  for (const chunk of chunks) stream.write(Buffer.from(chunk));
  stream.end();
  const result = Buffer.concat(await stream.toArray()).toString();
  expect(found.length > 0).toBe(result !== chunks.join('') || texts.some(({ of }) => chunks.join('').includes(of)));
  return result;
}

describe('replacing in a stream', () => {
  it('gives for every division into chunks what the whole text gives', async () => {
    // Two letters, so that texts overlap, begin alike and are cut everywhere.
    const word = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 2, maxLength: 9 });
    const texts = fc.uniqueArray(word, { minLength: 1, maxLength: 6 });
    const chunks = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 20 }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(texts, chunks, async (finds, parts) => {
        const replacements = finds.map((find, at) => replacement(find, `<${at}>`));
        const whole = parts.join('');
        expect(await streamed(parts, replacements)).toBe(replaced(whole, replacements));
        expect(
          replacer(replacements)
            .all(Buffer.from(whole), () => undefined)
            .toString(),
        ).toBe(replaced(whole, replacements));
      }),
      { numRuns: 2000 },
    );
  });

  it('passes on at once what cannot be the beginning of a text', async () => {
    const stream = replacer([replacement('secret-of-many-letters', 'x')]).stream(() => undefined);
    stream.write('data: one\n\n');
    expect(String(stream.read())).toBe('data: one\n\n');
    stream.write('data: sec');
    expect(String(stream.read())).toBe('data: ');
    stream.end();
    expect(Buffer.concat(await stream.toArray()).toString()).toBe('sec');
  });
});
