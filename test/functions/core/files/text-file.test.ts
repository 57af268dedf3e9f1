import { describe, expect, it } from 'vitest';
import { textOf } from '#core/files/text-file.ts';

describe('the text of a file', () => {
  it.each([
    ['ASCII', Buffer.from('a,b\r\n'), 'a,b\r\n'],
    ['two, three and four bytes a character', Buffer.from('ü€😀'), 'ü€😀'],
    ['nothing', Buffer.of(), ''],
    ['a byte order mark, which is left out', Buffer.from('\u{feff}a'), 'a'],
    ['a second byte order mark, which is text', Buffer.from('\u{feff}\u{feff}a'), '\u{feff}a'],
    ['the replacement character itself', Buffer.from('\u{fffd}'), '\u{fffd}'],
  ])('of %s is read', (_what, bytes, text) => {
    expect(textOf(bytes)).toBe(text);
  });

  it.each([
    ['a zero byte', [0x61, 0]],
    ['UTF-16', [0xff, 0xfe, 0x61, 0]],
    ['Latin-1', [0xfc]],
    ['a character that is cut off', [0xe2, 0x82]],
    ['an overlong form', [0xc0, 0xaf]],
    ['half of a pair', [0xed, 0xa0, 0x80]],
    ['a character beyond Unicode', [0xf4, 0x90, 0x80, 0x80]],
  ])('of %s is none', (_what, bytes) => {
    expect(textOf(Buffer.from(bytes))).toBeNull();
  });
});
