/**
 * Replaces byte texts in a stream of any length with constant memory. The result is the same for every division into
 * chunks: where texts overlap, the first one counts, and of those that begin together the longest. Bytes are held back only
 * while they may be the beginning of a text, so an event stream is not delayed.
 *
 * The search is that of Wu and Manber: the two bytes at the end of a window tell how far the next text must be away.
 */
import { Transform } from 'node:stream';

export interface Replacement<Of> {
  /** At least `MIN_BYTES` long. */
  readonly find: Buffer;
  readonly put: Buffer;
  /** What the caller is told when the text was found. */
  readonly of: Of;
}

const MIN_BYTES = 2;
const MAX_SHIFT = 255;

export interface Replacer<Of> {
  /** In one piece. */
  all(bytes: Buffer, found: (of: Of) => void): Buffer;
  stream(found: (of: Of) => void): Transform;
}

export function replacer<Of>(given: readonly Replacement<Of>[]): Replacer<Of> {
  const replacements = given.toSorted((a, b) => b.find.length - a.find.length);
  const window = replacements.at(-1)?.find.length ?? MIN_BYTES;
  if (window < MIN_BYTES) throw new RangeError(`a text to replace has at least ${MIN_BYTES} bytes`);
  const shifts = shiftsOf(replacements, window);
  const ending = Map.groupBy(replacements, ({ find }) => find.readUInt16BE(window - 2));

  /** The text at this place, or `partly` when more bytes must tell. */
  function textAt(bytes: Buffer, at: number, isLast: boolean): Replacement<Of> | 'partly' | null {
    for (const replacement of ending.get(bytes.readUInt16BE(at + window - 2)) ?? []) {
      const { find } = replacement;
      const there = Math.min(find.length, bytes.length - at);
      if (find.compare(bytes, at, at + there, 0, there) !== 0) continue;
      if (there === find.length) return replacement;
      if (!isLast) return 'partly';
    }
    return null;
  }

  /** The first place from which on the bytes may be the beginning of a text, when no whole window is left. */
  function beginning(bytes: Buffer, from: number): number {
    for (let at = from; at < bytes.length; at += 1) {
      const rest = bytes.length - at;
      if (replacements.some(({ find }) => find.compare(bytes, at, bytes.length, 0, rest) === 0)) return at;
    }
    return bytes.length;
  }

  /** Writes what is decided, and returns what is not. */
  function scan(bytes: Buffer, isLast: boolean, { write, found }: Scanning<Of>): Buffer {
    let from = 0;
    let at = 0;
    while (at + window <= bytes.length) {
      const shift = shifts[((bytes[at + window - 2] ?? 0) << 8) | (bytes[at + window - 1] ?? 0)] ?? 0;
      const text = shift > 0 ? null : textAt(bytes, at, isLast);
      if (text === 'partly') break;
      if (text === null) {
        at += Math.max(shift, 1);
        continue;
      }
      if (from < at) write(bytes.subarray(from, at));
      write(text.put);
      found(text.of);
      at += text.find.length;
      from = at;
    }
    const held = isLast ? bytes.length : at + window <= bytes.length ? at : beginning(bytes, at);
    if (from < held) write(bytes.subarray(from, held));
    return bytes.subarray(held);
  }

  return {
    all(bytes, found) {
      const parts: Buffer[] = [];
      scan(bytes, true, { write: (part) => void parts.push(part), found });
      return Buffer.concat(parts);
    },
    stream(found) {
      let held: Buffer = Buffer.alloc(0);
      return new Transform({
        transform(chunk: Buffer, _encoding, done) {
          const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
          held = scan(bytes, false, { write: (part) => void this.push(part), found });
          done();
        },
        flush(done) {
          scan(held, true, { write: (part) => void this.push(part), found });
          done();
        },
      });
    },
  };
}

interface Scanning<Of> {
  readonly write: (part: Buffer) => void;
  readonly found: (of: Of) => void;
}

/** For each pair of bytes: how far a window that ends with it can move on, because no text has the pair before that. */
function shiftsOf(replacements: readonly Replacement<unknown>[], window: number): Uint8Array {
  const shifts = new Uint8Array(65_536).fill(Math.min(window - 1, MAX_SHIFT));
  for (const { find } of replacements) {
    for (let end = 2; end <= window; end += 1) {
      const pair = find.readUInt16BE(end - 2);
      shifts[pair] = Math.min(shifts[pair] ?? 0, window - end);
    }
  }
  return shifts;
}
