import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import * as z from 'zod';
import { replaceFile } from '../atomic-file.ts';

const Start = z.object({
  arn: z.string(),
  name: z.string(),
  machineArn: z.string(),
  input: z.string(),
  startedAt: z.number(),
});
const End = z.object({
  ended: z.string(),
  at: z.number(),
  status: z.enum(['SUCCEEDED', 'FAILED', 'TIMED_OUT']),
  output: z.string().optional(),
  error: z.string().optional(),
  cause: z.string().optional(),
});
const Line = z.union([Start, End]);
type Line = z.infer<typeof Line>;

/** `end` is null while the execution runs, and for one that ran when the last runtime died. */
export type Execution = Readonly<z.infer<typeof Start>> & { readonly end: z.infer<typeof End> | null };

/**
 * The starts and ends of executions, one JSON line each. A line is one `write` and so survives the death of this process;
 * only a machine that loses power may lose lines, and then `sweep` starts what is missing.
 */
export interface Journal {
  readonly executions: readonly Execution[];
  append(line: Line): void;
  close(): void;
}

/** AWS keeps the name of a closed execution reserved for this long. */
const RESERVED_MS = 90 * 24 * 3_600_000;

/** Opens the journal and rewrites it without the executions whose names are free again. */
export function openJournal(file: string, now: number): Journal {
  mkdirSync(dirname(file), { recursive: true });
  const all = existsSync(file) ? readExecutions(file) : [];
  const executions = all.filter(({ end }) => end === null || end.at > now - RESERVED_MS);
  const lines = executions.flatMap(({ end, ...start }): Line[] => (end === null ? [start] : [start, end]));
  replaceFile(file, lines.map(textOf).join(''));
  const handle = openSync(file, 'a');
  return {
    executions,
    append: (line) => void writeSync(handle, textOf(line)),
    close: () => closeSync(handle),
  };
}

function textOf(line: Line): string {
  return `${JSON.stringify(line)}\n`;
}

function readExecutions(file: string): readonly Execution[] {
  const found = new Map<string, Execution>();
  for (const text of readFileSync(file, 'utf8').split('\n')) {
    const line = parseLine(text);
    if (line !== null && 'arn' in line) found.set(line.arn, { ...line, end: null });
    if (line === null || 'arn' in line) continue;
    const started = found.get(line.ended);
    if (started !== undefined) found.set(line.ended, { ...started, end: line });
  }
  return [...found.values()];
}

/** Null for the end of the file, and for the torn line that a kill in the middle of a write leaves behind. */
function parseLine(text: string): Line | null {
  try {
    return Line.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
