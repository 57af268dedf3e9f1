import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import * as z from 'zod';
import { replaceFile } from '../atomic-file.ts';

const Start = z.object({ start: z.string(), machine: z.string(), input: z.string(), at: z.number() });
const End = z.object({
  end: z.string(),
  machine: z.string(),
  status: z.enum(['SUCCEEDED', 'FAILED', 'TIMED_OUT', 'ABORTED']),
  at: z.number(),
  output: z.string().optional(),
  error: z.string().optional(),
  cause: z.string().optional(),
});
const Line = z.union([Start, End]);
type StartLine = z.infer<typeof Start>;
export type EndLine = z.infer<typeof End>;

/** One execution as the journal knows it; no end means that it was running when the last runtime died. */
interface Journaled {
  readonly start: StartLine;
  readonly end: EndLine | null;
}

/**
 * The starts and ends of executions, one JSON line each. A line is one `write` and so survives the death of this process;
 * only the machine losing power may lose lines, and then `sweep` starts what is missing.
 */
export interface Journal {
  readonly entries: readonly Journaled[];
  append(line: StartLine | EndLine): void;
  close(): void;
}

/** AWS keeps the name of a closed execution reserved for this long. */
const RESERVED_MS = 90 * 24 * 3_600_000;

/** Opens the journal and rewrites it without the executions whose names are free again. */
export function openJournal(file: string, now: number): Journal {
  mkdirSync(dirname(file), { recursive: true });
  const entries = existsSync(file)
    ? readEntries(file).filter(({ end }) => end === null || end.at > now - RESERVED_MS)
    : [];
  const lines = entries.flatMap(({ start, end }) => (end === null ? [start] : [start, end]));
  replaceFile(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const handle = openSync(file, 'a');
  return {
    entries,
    append: (line) => void writeSync(handle, `${JSON.stringify(line)}\n`),
    close: () => closeSync(handle),
  };
}

function readEntries(file: string): readonly Journaled[] {
  const found = new Map<string, Journaled>();
  for (const text of readFileSync(file, 'utf8').split('\n')) {
    const line = parseLine(text);
    if (line === null) continue;
    if ('start' in line) found.set(`${line.machine} ${line.start}`, { start: line, end: null });
    else {
      const key = `${line.machine} ${line.end}`;
      const started = found.get(key);
      if (started !== undefined) found.set(key, { ...started, end: line });
    }
  }
  return [...found.values()];
}

/** A kill in the middle of a write leaves a torn line, whose writer was never answered. */
function parseLine(text: string): StartLine | EndLine | null {
  if (text === '') return null;
  try {
    return Line.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
