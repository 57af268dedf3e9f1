import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readPdf } from '#core/files/pdf.ts';

const numbered = (count: number, first = 10) => Array.from({ length: count }, (_, index) => first + index);
const page = (number: number) => `${number} 0 obj\n<< /Type /Page /Parent 2 0 R >>\nendobj\n`;
const TREE = '1 0 obj << /Type /Catalog /Pages 2 0 R >> endobj\n2 0 obj << /Type/Pages /Count 3 >> endobj\n';
const bytesOf = (...parts: readonly (string | Buffer)[]) =>
  new Uint8Array(Buffer.concat(['%PDF-1.7\n', ...parts].map((part) => Buffer.from(part))));
const pdf = (...parts: readonly (string | Buffer)[]) => readPdf(bytesOf(...parts));

function objectStream(objects: ReadonlyMap<number, string>, filter: 'FlateDecode' | null, number = 5): Buffer {
  const texts = [...objects.values()];
  const places = texts.map((_, index) => texts.slice(0, index).join(' ').length + (index === 0 ? 0 : 1));
  const pairs = `${[...objects.keys()].map((key, index) => `${key} ${places[index]}`).join(' ')} `;
  const content = Buffer.from(pairs + texts.join(' '));
  const data = filter === null ? content : deflateSync(content);
  const named = filter === null ? '' : `/Filter /${filter} `;
  const head = `${number} 0 obj\n<< /Type /ObjStm /N ${objects.size} /First ${pairs.length} ${named}>>\nstream\n`;
  return Buffer.concat([Buffer.from(head), data, Buffer.from('\nendstream\nendobj\n')]);
}
const pages = (count: number) => new Map(numbered(count).map((number) => [number, '<< /Type /Page >>']));

describe('the pages of a PDF', () => {
  it.each<[string, number, readonly (string | Buffer)[]]>([
    ['none', 0, [TREE]],
    ['three objects', 3, [TREE, ...numbered(3).map(page)]],
    ['without spaces', 2, ['3 0 obj<</Type/Page>>endobj 4 0 obj<</Type/Page/Parent 2 0 R>>endobj']],
    ['one that was replaced later', 2, [...numbered(2).map(page), page(10)]],
    ['one that was replaced by something else', 1, [...numbered(2).map(page), '10 0 obj << /Type /Annot >> endobj']],
    ['in a compressed object stream', 700, [TREE, objectStream(pages(700), 'FlateDecode')]],
    ['in a plain object stream', 7, [TREE, objectStream(pages(7), null)]],
    [
      'a stream that says that it is one',
      1,
      [page(3), '4 0 obj << /Length 20 >> stream\n/Type /Page endstream endobj'],
    ],
    [
      'an object stream that cannot be inflated',
      1,
      [page(3), '4 0 obj << /Type /ObjStm /Filter /FlateDecode >> stream\nxx endstream'],
    ],
  ])('are counted: %s', async (_, count, parts) => {
    expect(await pdf(...parts)).toEqual({ isEncrypted: false, pages: count });
  });

  it('are counted in bounded time and memory, whatever the file holds', async () => {
    expect(await pdf('1 0 obj '.repeat(100_000), 'obj'.repeat(100_000))).toMatchObject({ pages: 0 });
    const stream = '9 0 obj /Type /ObjStm /Filter /FlateDecode stream x endstream ';
    expect(await pdf(stream.repeat(2000))).toMatchObject({ pages: 0 });
    const bomb = new Map([...pages(3), [99, ' '.repeat(200_000)], [100, '<< /Type /Page >>']]);
    const bombed = bytesOf(objectStream(bomb, 'FlateDecode'), page(3));
    expect(await readPdf(bombed, 150_000)).toMatchObject({ pages: 4 });
    expect(await readPdf(bombed)).toMatchObject({ pages: 5 });
  });
});

it.each([
  'trailer << /Encrypt 5 0 R >>',
  'trailer <</Encrypt<</Filter/Standard>>>>',
  '<< /Type /XRef /Encrypt\n12 0 R >>',
])('a PDF with a password is told: %j', async (trailer) => {
  expect(await pdf(TREE, trailer)).toMatchObject({ isEncrypted: true });
  expect(await pdf(TREE, trailer.replace('Encrypt', 'EncryptMetadata'))).toMatchObject({ isEncrypted: false });
});
