import { createHash } from 'node:crypto';
import { appendFileSync, closeSync, fstatSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { MAX_OUTPUT_CHARS, OUTPUTS_FOLDER } from '../functions/contract/hands.ts';

/** The rest of the limit is for the end of the text, where commands print their errors. */
const HEAD_CHARS = 30_000;
const MAX_BYTES_PER_CHAR = 4;
const WHOLE_BYTES = MAX_OUTPUT_CHARS * MAX_BYTES_PER_CHAR;

/** Stores long outputs below the working directory, where the agent's `read` and `grep` find them. */
export interface Outputs {
  /** Cuts a text that is too long, after writing the whole to the call's file. */
  bound(call: string, text: string): string;
  /** Takes the output of a command piece by piece. */
  capture(call: string): Capture;
}

/**
 * The output of one command. As much as a result may need is in memory, and a longer output goes to the call's file as
 * it comes. Each byte is looked at a fixed number of times, however the output is cut into pieces.
 */
export interface Capture {
  readonly path: string;
  take(chunk: Buffer): void;
  bytes(): number;
  /** The output without control sequences and trailing newlines, then `notes`; together within the limit. */
  bounded(notes: readonly string[]): string;
  /** What comes later is no part of the result and goes to the file, to which jobs of the command are known to write. */
  commandEnded(jobs: 'has jobs' | 'has no jobs'): void;
  /** Nothing more comes. */
  close(): void;
}

export function outputsUnder(workdir: string): Outputs {
  const folder = join(workdir, OUTPUTS_FOLDER);
  const pathOf = (call: string): string => join(folder, fileName(call));

  function bound(call: string, text: string): string {
    if (text.length <= MAX_OUTPUT_CHARS) return text;
    const file = fileAt(pathOf(call));
    file.append(Buffer.from(text));
    file.close();
    return excerpt({ start: text, end: text, rest: `${Buffer.byteLength(text)} bytes; ${file.place()}` });
  }

  return { bound, capture: (call) => captureAt(pathOf(call)) };
}

function captureAt(path: string): Capture {
  /** The last bytes, in a circle. A command that has ended needs none. */
  let ring = Buffer.allocUnsafe(WHOLE_BYTES);
  let head: Buffer | null = null;
  let file: OutputFile | null = null;
  let total = 0;

  function take(chunk: Buffer): void {
    if (ring.length === 0 || total + chunk.length > WHOLE_BYTES) keepInFile();
    file?.append(chunk);
    if (ring.length === 0) {
      total += chunk.length;
      return;
    }
    for (let rest = chunk; rest.length > 0;) {
      const at = total % WHOLE_BYTES;
      const copied = rest.copy(ring, at);
      total += copied;
      rest = rest.subarray(copied);
      // The circle is full for the first time: what comes next overwrites its beginning.
      if (total === WHOLE_BYTES) head = Buffer.from(ring.subarray(0, HEAD_CHARS * MAX_BYTES_PER_CHAR));
    }
  }

  function inMemory(): Buffer {
    if (total <= WHOLE_BYTES) return ring.subarray(0, total);
    const at = total % WHOLE_BYTES;
    return Buffer.concat([ring.subarray(at), ring.subarray(0, at)]);
  }

  function keepInFile(): void {
    if (file !== null) return;
    file = fileAt(path);
    file.append(inMemory());
  }

  function bounded(notes: readonly string[]): string {
    const end = plain(inMemory());
    if (total <= WHOLE_BYTES) {
      const text = joined([end, ...notes]);
      if (text.length <= MAX_OUTPUT_CHARS) return text;
    }
    keepInFile();
    const start = head === null || total <= WHOLE_BYTES ? end : plain(head);
    return excerpt({ start, end, rest: `${total} bytes; ${file?.place()}`, notes });
  }

  function commandEnded(jobs: 'has jobs' | 'has no jobs'): void {
    if (jobs === 'has jobs') keepInFile();
    ring = Buffer.alloc(0);
  }

  return { path, take, bytes: () => total, bounded, commandEnded, close: () => file?.close() };
}

interface OutputFile {
  append(bytes: Buffer): void;
  /** Where the whole is, or why it is nowhere. */
  place(): string;
  close(): void;
}

/**
 * Writes synchronously, so that no piece waits in memory. Through the open file, so that a command that empties the
 * working directory does not disturb its own output.
 */
function fileAt(path: string): OutputFile {
  let file: number | null = null;
  let trouble: string | null = null;
  const attempt = (work: () => void): void => {
    if (trouble !== null) return;
    try {
      work();
    } catch (error) {
      trouble = `it could not be written (${error instanceof Error && 'code' in error ? error.code : 'unknown'})`;
    }
  };
  attempt(() => {
    makeOutputsFolder(dirname(path));
    file = openSync(path, 'w');
  });
  return {
    append: (bytes) => attempt(() => file !== null && appendFileSync(file, bytes)),
    place() {
      if (file !== null && trouble === null && fstatSync(file).nlink === 0) trouble = 'its file was removed';
      if (trouble !== null) return `the rest is lost, ${trouble}`;
      return `the whole output is in ${path} (use read with view_range, or grep)`;
    },
    close() {
      if (file !== null) closeSync(file);
      file = null;
    },
  };
}

/** CSI, OSC and the short escape sequences. A pattern scans from an escape to the next one at most, so it is linear. */
const CONTROL =
  // oxlint-disable-next-line no-control-regex
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)|\u001b[ -/]*[0-~]/g;

function plain(bytes: Buffer): string {
  const text = bytes.toString('utf8').replaceAll(CONTROL, '');
  let end = text.length;
  while (text[end - 1] === '\n') end -= 1;
  return text.slice(0, end);
}

function joined(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('\n');
}

interface Long {
  readonly start: string;
  readonly end: string;
  readonly rest: string;
  readonly notes?: readonly string[];
}

/** The first and the last characters and a sentence about the rest, within the limit. */
function excerpt({ start, end, rest, notes = [] }: Long): string {
  const head = start.slice(0, HEAD_CHARS).toWellFormed();
  const sentenceFor = (tailChars: number): string =>
    joined([...notes, `[Output cut to its first ${head.length} and last ${tailChars} characters. It has ${rest}.]`]);
  const gap = '\n\n[...]\n\n';
  const room = MAX_OUTPUT_CHARS - head.length - gap.length - sentenceFor(MAX_OUTPUT_CHARS).length - 1;
  const tail = end.slice(-room).toWellFormed();
  return `${head}${gap}${tail}\n${sentenceFor(tail.length)}`;
}

export function makeOutputsFolder(folder: string): void {
  const made = mkdirSync(folder, { recursive: true });
  // Git does not list these files as changes of a repository in the working directory.
  if (made !== undefined) writeFileSync(join(dirname(folder), '.gitignore'), '*\n');
}

function fileName(call: string): string {
  return /^\w[\w.-]*$/.test(call) ? `${call}.txt` : `${createHash('sha256').update(call).digest('hex')}.txt`;
}
