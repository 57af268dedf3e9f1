/** The file tools keep the bytes of a file that they were not asked to change, or refuse with a sentence. */
import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { propertyRuns } from '#test/property-runs.ts';
import { type Sandbox, startSandbox } from './running-sandbox.ts';

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox();
});
afterAll(() => sandbox.close());

const file = () => join(sandbox.workdir, 'a.txt');

async function edited(bytes: Buffer, old_string: string, new_string: string, replace_all = false) {
  await writeFile(file(), bytes);
  const response = await sandbox.run('edit', { file_path: 'a.txt', old_string, new_string, replace_all });
  return { ...response, after: await readFile(file()) };
}

const latin1 = (text: string) => Buffer.from(text, 'latin1');
const utf16 = (text: string) => Buffer.from(text, 'utf16le');

describe('edit refuses, and changes no byte of,', () => {
  test.each([
    ['Latin-1', latin1('const x = 1;\n// caf\xe9 note\n'), 'is not UTF-8 (byte 20)'],
    ['a character that is cut off', Buffer.from([0x78, 0x20, 0xe2, 0x82]), 'is not UTF-8'],
    ['half a surrogate pair', Buffer.from([0x78, 0xed, 0xa0, 0x80]), 'is not UTF-8'],
    ['an overlong encoding', Buffer.from([0x78, 0xc0, 0xaf]), 'is not UTF-8'],
    ['UTF-16 with a byte order mark', utf16('\ufeffconst x = 1;'), 'is not UTF-8'],
    ['UTF-16 without one', utf16('const x = 1;'), 'holds a NUL byte'],
    ['Shift-JIS', Buffer.from([0x78, 0x83, 0x5c, 0x83, 0x78]), 'is not UTF-8'],
    ['a program', Buffer.from('\x7fELF\x02\x01\x01\0x', 'latin1'), 'holds a NUL byte (byte 8)'],
  ])('%s', async (_name, bytes, fault) => {
    const { isError, output, after } = await edited(bytes, 'x', 'yyy', true);
    expect(isError).toBe(true);
    expect(output).toBe(`edit: a.txt ${output.slice('edit: a.txt '.length)}`);
    expect(output).toContain(fault);
    expect(output).toContain('so it was not changed');
    expect(after).toEqual(bytes);
  });
});

describe('edit keeps', () => {
  test.each([
    ['a byte order mark', '\ufeffone two\n', '\ufeffone 2\n'],
    ['carriage returns', 'one\r\ntwo\r\nthree\r', 'one\r\n2\r\nthree\r'],
    ['a missing last newline', 'one\ntwo', 'one\n2'],
    ['control characters and U+FFFD', '\u0001\ufffd two \u007f', '\u0001\ufffd 2 \u007f'],
    ['characters beside the text', 'é😀two😀é', 'é😀2😀é'],
  ])('%s', async (_name, before, after) => {
    expect((await edited(Buffer.from(before), 'two', '2')).after.toString()).toBe(after);
  });

  test('every byte beside the text, or all of them, of any file', async () => {
    const bytes = fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 4 }),
        fc.string({ unit: 'grapheme', maxLength: 4 }).map((text) => Buffer.from(text)),
      ),
      { maxLength: 6 },
    );
    const property = fc.asyncProperty(bytes, bytes, async (before, behind) => {
      const [a, b] = [Buffer.concat(before), Buffer.concat(behind)];
      const whole = Buffer.concat([a, Buffer.from('<old>'), b]);
      const { isError, after } = await edited(whole, '<old>', '<newer>');
      expect(after).toEqual(isError ? whole : Buffer.concat([a, Buffer.from('<newer>'), b]));
    });
    await fc.assert(property, { numRuns: propertyRuns(400) });
  });
});

test('edit tells why lines are not found in a file with carriage returns', async () => {
  const { output, isError } = await edited(Buffer.from('one\r\ntwo\r\n'), 'one\ntwo', 'x');
  expect({ output, isError }).toEqual({
    isError: true,
    output: String.raw`edit: old_string not found in a.txt (its lines end with \r\n)`,
  });
});

test.each([
  ['write', { content: 'a \ud99c b' }],
  ['edit', { old_string: 'kept', new_string: '\udc00' }],
  ['edit', { old_string: '\ud800', new_string: 'x' }],
] as const)('%s refuses half of a surrogate pair: %j', async (name, input) => {
  await writeFile(file(), 'kept \ufffd');
  const response = await sandbox.run(name, { file_path: 'a.txt', ...input });
  expect(response).toMatchObject({ isError: true, output: expect.stringContaining('half of a surrogate pair') });
  expect(await readFile(file(), 'utf8')).toBe('kept \ufffd');
});

test('read says that it shows bytes that are no text', async () => {
  await writeFile(file(), latin1('caf\xe9'));
  expect((await sandbox.run('read', { file_path: 'a.txt' })).output).toMatch(/^caf\ufffd\n\[The file is not UTF-8/);
  await writeFile(file(), 'a real \ufffd');
  expect((await sandbox.run('read', { file_path: 'a.txt' })).output).toBe('a real \ufffd');
});

test('write and edit through a symbolic link change its target within the working directory, and no other file', async () => {
  await writeFile(join(sandbox.workdir, 'target.txt'), 'one', { mode: 0o640 });
  await symlink('target.txt', join(sandbox.workdir, 'link.txt'));
  await sandbox.run('edit', { file_path: 'link.txt', old_string: 'one', new_string: 'two' });
  expect(await readFile(join(sandbox.workdir, 'target.txt'), 'utf8')).toBe('two');
  await sandbox.run('write', { file_path: 'link.txt', content: 'three' });
  expect(await readFile(join(sandbox.workdir, 'target.txt'), 'utf8')).toBe('three');
  await symlink('/tmp/outside-of-the-workdir', join(sandbox.workdir, 'out.txt'));
  expect(await sandbox.run('write', { file_path: 'out.txt', content: 'x' })).toMatchObject({ isError: true });
});
