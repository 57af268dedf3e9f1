/** Reads the stream of `PUT /contents`: of each parcel a line of JSON, and then its bytes. */
import { ParcelHeader } from '../functions/contract/hands.ts';
import { parseJson } from './body.ts';

const MAX_HEADER_BYTES = 8192;
const NEWLINE = 0x0a;

export interface Parcel {
  readonly header: ParcelHeader;
  /** What its reader leaves is dropped before the next parcel. */
  readonly body: AsyncIterable<Buffer>;
}

export class BrokenStream extends Error {
  override readonly name = 'BrokenStream';
}

/** @throws BrokenStream when the stream ends in the middle of a parcel, or is none of parcels */
export async function* parcelsIn(stream: AsyncIterable<Buffer>): AsyncGenerator<Parcel> {
  const chunks = stream[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);

  async function more(): Promise<boolean> {
    const next = await chunks.next();
    if (next.done === true) return false;
    held = held.length === 0 ? next.value : Buffer.concat([held, next.value]);
    return true;
  }

  async function nextHeader(): Promise<ParcelHeader | null> {
    for (;;) {
      const end = held.indexOf(NEWLINE);
      if (end >= 0) {
        const header = ParcelHeader.safeParse(parseJson(held.toString('utf8', 0, end)));
        held = held.subarray(end + 1);
        if (!header.success) throw new BrokenStream('a parcel has no header');
        return header.data;
      }
      if (held.length > MAX_HEADER_BYTES) throw new BrokenStream('a header is too long');
      if (!(await more())) {
        if (held.length > 0) throw new BrokenStream('the stream ends in a header');
        return null;
      }
    }
  }

  let left = 0;
  async function* bodyOf(): AsyncGenerator<Buffer> {
    while (left > 0) {
      if (held.length === 0 && !(await more())) throw new BrokenStream('the stream ends in a parcel');
      const piece = held.subarray(0, left);
      held = held.subarray(piece.length);
      left -= piece.length;
      if (piece.length > 0) yield piece;
    }
  }

  for (let header = await nextHeader(); header !== null; header = await nextHeader()) {
    left = header.bytes;
    yield { header, body: bodyOf() };
    for await (const _dropped of bodyOf());
  }
}
