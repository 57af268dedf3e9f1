import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { MAX_OUTPUT_CHARS, OUTPUTS_FOLDER } from '../functions/contract/hands.ts';

/** The rest of the limit is for the end of the text, where commands print their errors. */
const HEAD_CHARS = 30_000;
const MAX_BYTES_PER_CHAR = 4;
const WHOLE_FILE_BYTES = MAX_OUTPUT_CHARS * MAX_BYTES_PER_CHAR;
const LEAST_FREE_BYTES = 1024 * 1024;

/** Stores long outputs below the working directory, where the agent's `read` and `grep` find them. */
export interface Outputs {
  /** Cuts a text that is too long, after writing the whole to the call's file. */
  bound(call: string, text: string): Promise<string>;
  /** An empty file for a command's output; null when the disk or the folder does not allow one. */
  capture(call: string): Promise<Capture | null>;
  /** Returns those of the calls that have no file. */
  lacking(calls: readonly string[]): readonly string[];
  /** Writes the file of a call as a whole; false, and no file, when the disk or the folder does not allow it. */
  keep(call: string, text: string): Promise<boolean>;
}

export interface Capture {
  readonly path: string;
  bytes(): Promise<number>;
  /** The output without control sequences and trailing newlines, then `notes`; together within the limit. */
  bounded(notes: readonly string[]): Promise<{ readonly text: string; readonly isCut: boolean }>;
  close(file: 'keep' | 'remove'): Promise<void>;
}

export function outputsUnder(workdir: string): Outputs {
  const folder = join(workdir, OUTPUTS_FOLDER);
  const pathOf = (call: string): string => join(folder, fileName(call));

  async function bound(call: string, text: string): Promise<string> {
    if (text.length <= MAX_OUTPUT_CHARS) return text;
    const bytes = Buffer.byteLength(text);
    const path = pathOf(call);
    try {
      await makeFolder(folder);
      await writeFile(path, text);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : 'unknown';
      return excerpt({
        start: text,
        end: text,
        rest: `${bytes} bytes; the rest is lost, it could not be written (${code})`,
      });
    }
    return excerpt({ start: text, end: text, rest: whereItIs(bytes, path) });
  }

  async function capture(call: string): Promise<Capture | null> {
    try {
      await makeFolder(folder);
      // On a full disk commands run without a file, so that the agent can still read the output of `df`.
      const disk = await statfs(folder);
      if (disk.bavail * disk.bsize < LEAST_FREE_BYTES) return null;
      return captureIn(pathOf(call), await open(pathOf(call), 'w+'));
    } catch {
      return null;
    }
  }

  async function keep(call: string, text: string): Promise<boolean> {
    // The file appears under its name only when it is complete.
    const part = join(folder, `.${randomUUID()}`);
    try {
      await makeFolder(folder);
      await writeFile(part, text);
      await rename(part, pathOf(call));
      return true;
    } catch {
      await rm(part, { force: true }).catch(() => undefined);
      return false;
    }
  }

  return { bound, capture, keep, lacking: (calls) => calls.filter((call) => !existsSync(pathOf(call))) };
}

/** Reads through the open file, so that a command that empties the working directory does not lose its output. */
function captureIn(path: string, file: FileHandle): Capture {
  async function bounded(notes: readonly string[]): Promise<{ text: string; isCut: boolean }> {
    const { size, nlink } = await file.stat();
    if (size <= WHOLE_FILE_BYTES) {
      const text = joined([plain(await bytesAt(file, 0, size)), ...notes]);
      if (text.length <= MAX_OUTPUT_CHARS) return { text, isCut: false };
    }
    const start = plain(await bytesAt(file, 0, HEAD_CHARS * MAX_BYTES_PER_CHAR));
    const end = plain(await bytesAt(file, Math.max(0, size - WHOLE_FILE_BYTES), WHOLE_FILE_BYTES));
    const rest = nlink > 0 ? whereItIs(size, path) : `${size} bytes; the rest is lost, its file was removed`;
    return { text: excerpt({ start, end, rest, notes }), isCut: true };
  }

  async function close(fate: 'keep' | 'remove'): Promise<void> {
    await file.close();
    if (fate === 'remove') await rm(path, { force: true });
  }

  return { path, bytes: async () => (await file.stat()).size, bounded, close };
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

function plain(bytes: Buffer): string {
  return stripVTControlCharacters(bytes.toString('utf8')).replace(/\n+$/, '');
}

function joined(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('\n');
}

function whereItIs(bytes: number, path: string): string {
  return `${bytes} bytes; the whole output is in ${path} (use read with view_range, or grep)`;
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

async function makeFolder(folder: string): Promise<void> {
  const made = await mkdir(folder, { recursive: true });
  // Git does not list these files as changes of a repository in the working directory.
  if (made !== undefined) await writeFile(join(dirname(folder), '.gitignore'), '*\n');
}

function fileName(call: string): string {
  return /^\w[\w.-]*$/.test(call) ? `${call}.txt` : `${createHash('sha256').update(call).digest('hex')}.txt`;
}
