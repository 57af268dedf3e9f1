/**
 * What the model's provider limits of PDFs. A file that is built in an unusual way may look as if it had fewer pages: the
 * provider has the last word.
 */
import { isEncrypted, latin1 } from '#core/model/media.ts';

interface Pdf {
  readonly isEncrypted: boolean;
  readonly pages: number;
}

/** `5 0 ` before `obj`. */
const NUMBER = /(?:^|\s)(\d{1,10})\s{1,4}\d{1,5}\s{1,4}$/;
const NUMBER_CHARS = 24;
const PAGE = /\/Type\s{0,4}\/Page(?![A-Za-z])/;
const OBJECT_STREAM = /\/Type\s{0,4}\/ObjStm/;

/** Of all object streams together, inflated. A larger file has its further pages not counted. */
const MAX_INFLATED_BYTES = 64_000_000;
/** A stream takes as long as so many bytes, however small it is. */
const STREAM_COST = 50_000;

export async function readPdf(bytes: Uint8Array, maxInflatedBytes = MAX_INFLATED_BYTES): Promise<Pdf> {
  if (isEncrypted(bytes)) return { isEncrypted: true, pages: 0 };
  const text = latin1(bytes);
  // A later object of a number replaces an earlier one.
  const isPage = new Map<number, boolean>();
  let left = maxInflatedBytes;
  for (const { number, head, at } of objectsIn(text)) {
    isPage.set(number, PAGE.test(head));
    if (!OBJECT_STREAM.test(head) || left <= 0) continue;
    const objects = await streamAt(text, { head, at, maxBytes: left });
    left -= objects.length + STREAM_COST;
    for (const inner of objectsOf(objects, head)) isPage.set(inner.number, PAGE.test(inner.text));
  }
  return { isEncrypted: false, pages: [...isPage.values()].filter(Boolean).length };
}

interface PdfObject {
  readonly number: number;
  /** What comes before its stream, if it has one. */
  readonly head: string;
  /** Where the head ends. */
  readonly at: number;
}

/** Each character is looked at a bounded number of times, whatever the file holds. */
function* objectsIn(text: string): Generator<PdfObject> {
  let next = startAfter(text, 0);
  let stream = -1;
  for (let start = next; start !== null; start = next) {
    next = startAfter(text, start.at);
    if (stream < start.at) stream = indexOrEnd(text, 'stream', start.at);
    const end = Math.min(stream, next?.at ?? text.length);
    yield { number: start.number, head: text.slice(start.at, end), at: end };
  }
}

function startAfter(text: string, from: number): { readonly number: number; readonly at: number } | null {
  for (let at = text.indexOf('obj', from); at >= 0; at = text.indexOf('obj', at + 3)) {
    const [, number] = NUMBER.exec(text.slice(Math.max(0, at - NUMBER_CHARS), at)) ?? [];
    if (number !== undefined) return { number: Number(number), at: at + 3 };
  }
  return null;
}

function indexOrEnd(text: string, word: string, from: number): number {
  const found = text.indexOf(word, from);
  return found < 0 ? text.length : found;
}

/** The content of an object's stream; '' for one in a form that is not read here. */
async function streamAt(
  text: string,
  { head, at, maxBytes }: { readonly head: string; readonly at: number; readonly maxBytes: number },
): Promise<string> {
  const begin = text.startsWith('stream\r\n', at) ? at + 8 : at + 7;
  const data = text.slice(begin, indexOrEnd(text, 'endstream', begin));
  if (!head.includes('/Filter')) return data;
  return /\/FlateDecode/.test(head) ? inflated(data, maxBytes) : '';
}

/** What can be inflated: the data may end with bytes that are not its own. */
async function inflated(data: string, maxBytes: number): Promise<string> {
  const bytes = new Uint8Array(Buffer.from(data, 'latin1'));
  const pieces: Uint8Array[] = [];
  let read = 0;
  try {
    for await (const piece of new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'))) {
      pieces.push(piece);
      read += piece.length;
      if (read >= maxBytes) break;
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  return Buffer.concat(pieces).toString('latin1');
}

/** An object stream begins with pairs of numbers: of an object, and of its place after the first `First` bytes. */
function objectsOf(stream: string, head: string): readonly { readonly number: number; readonly text: string }[] {
  const first = Number(/\/First\s{1,4}(\d{1,10})/.exec(head)?.[1] ?? 0);
  const numbers = stream.slice(0, first).trim().split(/\s+/).map(Number);
  const places = numbers.filter((_, index) => index % 2 === 1);
  return places.map((place, index) => {
    const end = places[index + 1] ?? stream.length - first;
    return { number: numbers[index * 2] ?? 0, text: stream.slice(first + place, first + end) };
  });
}
