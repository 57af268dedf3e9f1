/** Commands of this test. Their output is kept for the failure message, and shown at once on request. */
import { spawn } from 'node:child_process';
import { writeSync } from 'node:fs';

interface Run {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly onLine?: (line: string) => void;
}

interface Ran {
  readonly code: number | null;
  /** Both streams, in the order they came. */
  readonly output: string;
}

export function run(command: string, args: readonly string[], { env = process.env, onLine }: Run = {}): Promise<Ran> {
  const { promise, resolve, reject } = Promise.withResolvers<Ran>();
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      chunks.push(text);
      for (const line of text.split('\n')) if (line.trim() !== '') onLine?.(line.trim());
    });
  }
  child.on('error', (cause) => reject(new Error(`${command} cannot be started: is it installed?`, { cause })));
  child.on('close', (code) => resolve({ code, output: chunks.join('') }));
  return promise;
}

/** @throws with the end of the command's output */
export async function mustRun(command: string, args: readonly string[], options: Run & { readonly why: string }) {
  const { code, output } = await run(command, args, options);
  if (code !== 0) throw new Error(`${options.why} (exit code ${code}):\n${lastLines(output)}`);
  return output;
}

export function lastLines(output: string): string {
  return output.trim().split('\n').slice(-30).join('\n');
}

const began = Date.now();

/** Prints what the test is doing, because some steps take minutes. */
export function say(text: string): void {
  // Writes directly to the terminal, because vitest would put the name of the test above each line.
  writeSync(1, `${((Date.now() - began) / 1000).toFixed(1).padStart(6)} s  ${text}\n`);
}
