import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';

/** About a hundred of the longest outputs. Requests repeat the newest calls, so these stay in memory. */
const MAX_CHARS_IN_MEMORY = 10_000_000;

const FinishedCall = z.object({ output: z.string(), isError: z.boolean(), durationMs: z.number() });
export type FinishedCall = Readonly<z.infer<typeof FinishedCall>>;

/** The results of finished calls until the server ends: the newest in memory, all others in files. */
export interface FinishedCalls {
  keep(call: string, finished: FinishedCall): void;
  recall(call: string): FinishedCall;
  close(): void;
}

/** The files are outside the working directory, so the file tools cannot reach them. */
export function finishedCalls(maxCharsInMemory = MAX_CHARS_IN_MEMORY): FinishedCalls {
  const folder = mkdtempSync(join(tmpdir(), 'brainstem-calls-'));
  const inMemory = new Map<string, FinishedCall>();
  let charsInMemory = 0;

  // Files are written and read synchronously, so that no request comes between memory and file.
  function spillOldest(): boolean {
    const oldest = inMemory.entries().next().value;
    if (oldest === undefined) return false;
    const [call, finished] = oldest;
    try {
      writeFileSync(fileOf(folder, call), JSON.stringify(finished), { mode: 0o600 });
    } catch {
      return false; // The disk is full. Memory over its limit is better than a call that runs twice.
    }
    inMemory.delete(call);
    charsInMemory -= finished.output.length;
    return true;
  }

  function keep(call: string, finished: FinishedCall): void {
    inMemory.set(call, finished);
    charsInMemory += finished.output.length;
    while (charsInMemory > maxCharsInMemory && spillOldest());
  }

  return {
    keep,
    recall: (call) => inMemory.get(call) ?? readSpilled(fileOf(folder, call)),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** When the agent has deleted or changed the file, the call is reported as lost and not run again. */
function readSpilled(path: string): FinishedCall {
  try {
    return FinishedCall.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    const output = 'This call finished earlier, but its stored output is gone. It was not run again.';
    return { output, isError: true, durationMs: 0 };
  }
}

function fileOf(folder: string, call: string): string {
  return join(folder, `${createHash('sha256').update(call).digest('hex')}.json`);
}
