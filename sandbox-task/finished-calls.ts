import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';

/** About a hundred of the longest outputs; the newest calls are the ones that are asked for again. */
const MAX_CHARS_IN_MEMORY = 10_000_000;

const Outcome = z.object({ output: z.string(), isError: z.boolean(), durationMs: z.number() });
export type Outcome = Readonly<z.infer<typeof Outcome>>;

/** Outcomes of finished calls for as long as the server lives: the newest in memory, all others in files. */
export interface FinishedCalls {
  keep(call: string, outcome: Outcome): void;
  recall(call: string): Outcome;
  close(): void;
}

/** The files are outside the working directory, where the file tools do not reach. */
export function finishedCalls(maxCharsInMemory = MAX_CHARS_IN_MEMORY): FinishedCalls {
  const folder = mkdtempSync(join(tmpdir(), 'brainstem-calls-'));
  const inMemory = new Map<string, Outcome>();
  let charsInMemory = 0;

  // Files are written and read synchronously, so that no request ever sees an outcome on its way.
  function spillOldest(): boolean {
    const oldest = inMemory.entries().next().value;
    if (oldest === undefined) return false;
    const [call, outcome] = oldest;
    try {
      writeFileSync(fileOf(folder, call), JSON.stringify(outcome), { mode: 0o600 });
    } catch {
      return false; // No room on the disk: memory over its bound is better than a call that runs twice.
    }
    inMemory.delete(call);
    charsInMemory -= outcome.output.length;
    return true;
  }

  function keep(call: string, outcome: Outcome): void {
    inMemory.set(call, outcome);
    charsInMemory += outcome.output.length;
    while (charsInMemory > maxCharsInMemory && spillOldest());
  }

  return {
    keep,
    recall: (call) => inMemory.get(call) ?? readSpilled(fileOf(folder, call)),
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** The agent can delete or change the file; the call is still not run again. */
function readSpilled(path: string): Outcome {
  try {
    return Outcome.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    const output = 'This call finished earlier, but its stored output is gone. It was not run again.';
    return { output, isError: true, durationMs: 0 };
  }
}

function fileOf(folder: string, call: string): string {
  return join(folder, `${createHash('sha256').update(call).digest('hex')}.json`);
}
