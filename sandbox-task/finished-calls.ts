import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { RepositoryFailure } from '../functions/contract/repositories.ts';

/** About a hundred of the longest outputs. Requests repeat the newest calls, so these stay in memory. */
const MAX_CHARS_IN_MEMORY = 10_000_000;

const FinishedCall = z.object({
  output: z.string(),
  isError: z.boolean(),
  durationMs: z.number(),
  notes: z.array(z.string()).optional(),
  failedClones: z.array(RepositoryFailure).optional(),
});
export type FinishedCall = Readonly<z.infer<typeof FinishedCall>>;

/** The results of finished calls until the server ends: the newest in memory, all others in a file. */
export interface FinishedCalls {
  keep(call: string, finished: FinishedCall): void;
  recall(call: string): FinishedCall;
  close(): void;
}

/** The file has no name, so the agent cannot reach it. */
export function finishedCalls(maxCharsInMemory = MAX_CHARS_IN_MEMORY): FinishedCalls {
  let file = openNameless();
  const inMemory = new Map<string, FinishedCall>();
  const inFile = new Map<string, { readonly position: number; readonly length: number }>();
  let charsInMemory = 0;
  let position = 0;

  // The file is written and read synchronously, so that no request comes between memory and file.
  function spillOldest(): boolean {
    const oldest = inMemory.entries().next().value;
    if (oldest === undefined) return false;
    const [call, finished] = oldest;
    const bytes = Buffer.from(JSON.stringify(finished));
    try {
      for (let written = 0; written < bytes.length;)
        written += writeSync(file, bytes, written, bytes.length - written, position + written);
    } catch {
      return false; // The disk is full. Memory over its limit is better than a call that runs twice.
    }
    inFile.set(call, { position, length: bytes.length });
    position += bytes.length;
    inMemory.delete(call);
    charsInMemory -= finished.output.length;
    return true;
  }

  function keep(call: string, finished: FinishedCall): void {
    inMemory.set(call, finished);
    charsInMemory += finished.output.length;
    while (charsInMemory > maxCharsInMemory && spillOldest());
  }

  /** When the file cannot be read, the call is reported as lost and not run again. */
  function spilled(call: string): FinishedCall {
    const { position: from, length } = inFile.get(call) ?? { position: 0, length: 0 };
    try {
      const bytes = Buffer.alloc(length);
      for (let read = 0; read < length;) {
        const more = readSync(file, bytes, read, length - read, from + read);
        if (more === 0) break;
        read += more;
      }
      return FinishedCall.parse(JSON.parse(bytes.toString('utf8')));
    } catch {
      const output = 'This call finished earlier, but its stored output is gone. It was not run again.';
      return { output, isError: true, durationMs: 0 };
    }
  }

  function close(): void {
    closeSync(file);
    // The system may give the number to another file.
    file = -1;
  }

  return { keep, recall: (call) => inMemory.get(call) ?? spilled(call), close };
}

function openNameless(): number {
  const folder = mkdtempSync(join(tmpdir(), 'brainstem-calls-'));
  try {
    return openSync(join(folder, 'finished'), 'wx+', 0o600);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
