import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { takeTurns } from './abort.ts';
import type { Capture, Outputs } from './output.ts';

const DEFAULT_TIMEOUT_MS = 120_000;
/** Limits the output of one command, which would otherwise fill the task's disk. */
const MAX_CAPTURED_BYTES = 256 * 1024 * 1024;
const SIZE_CHECK_MS = 250;

export interface ToolCall {
  readonly call: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly timeoutMs: number;
}

export interface ToolResult {
  readonly text: string;
  readonly isError: boolean;
}

export type RunTool = (call: ToolCall, signal: AbortSignal) => Promise<ToolResult>;

/** A tool of the SDK. Its `bash` throws for a status other than 0 and when the shell ends (timeout, abort, `exit`). */
export type RunSdkTool = (input: ToolCall['input'], signal: AbortSignal) => Promise<string>;

const BashInput = z.looseObject({
  command: z.string().nullish(),
  restart: z.boolean().nullish(),
  timeout_ms: z.number().positive().nullish(),
});

type RunScript = (script: string, stop?: AbortSignal) => Promise<string>;

type Ending =
  | { readonly how: 'exited'; readonly status: number; readonly jobs: readonly string[] }
  | { readonly how: 'lost'; readonly reason: string };

/**
 * Runs commands in the SDK's persistent shell, in a changed form. The shell sources the command, so that a syntax error
 * (an unclosed quote) fails at once; otherwise the shell would wait for more input until the timeout. The output goes
 * to a file, because the SDK keeps only the last 100 KiB, and nothing after a timeout.
 */
export function capturingBash(runSdkBash: RunSdkTool, outputs: Outputs): RunTool {
  const inTurn = takeTurns();
  const knownJobs = new Set<string>();

  async function runCaptured(command: string, run: RunScript, capture: Capture): Promise<ToolResult> {
    const ending = await runInto(capture, command, run);
    const jobs = ending.how === 'exited' ? ending.jobs.filter((pid) => !knownJobs.has(pid)) : [];
    for (const pid of jobs) knownJobs.add(pid);
    const { text, isCut } = await capture.bounded([lossNote(ending), backgroundNote(jobs, capture.path)]);
    await capture.close(isCut || jobs.length > 0 ? 'keep' : 'remove');
    if (ending.how === 'lost') return { text, isError: true };
    if (ending.status === 0) return { text, isError: false };
    return { text: text || `exit ${ending.status}`, isError: true };
  }

  return async function bash(call, signal) {
    const { command, restart, timeout_ms } = BashInput.parse(call.input);
    const options = {
      restart: restart === true,
      timeout_ms: Math.min(timeout_ms ?? DEFAULT_TIMEOUT_MS, call.timeoutMs),
    };
    const run: RunScript = (script, stop) =>
      runSdkBash({ ...options, command: script }, stop === undefined ? signal : AbortSignal.any([signal, stop]));
    // Calls wait here and not in the SDK, which restarts the shell when a waiting call times out.
    return inTurn(signal, async () => {
      if (!command) return { text: await run(''), isError: false };
      const capture = await outputs.capture(call.call);
      if (capture === null) return { text: await run(sourcing(command)), isError: false };
      return runCaptured(command, run, capture);
    });
  };
}

async function runInto(capture: Capture, command: string, run: RunScript): Promise<Ending> {
  const tooMuch = new AbortController();
  const watch = setInterval(async () => {
    if ((await capture.bytes()) <= MAX_CAPTURED_BYTES) return;
    tooMuch.abort(new Error(`the command was stopped, it wrote more than ${MAX_CAPTURED_BYTES} bytes`));
  }, SIZE_CHECK_MS);
  try {
    const script = `${sourcing(command, `>>${quoted(capture.path)} 2>&1`)}${REPORT}`;
    return endingOf(await run(script, tooMuch.signal));
  } catch (error) {
    return endingOf(error instanceof Error ? error.message : 'bash: failed');
  } finally {
    clearInterval(watch);
  }
}

/**
 * Uses `source`, because bash exits after an unclosed quote in `eval`. The command comes on a file descriptor of its
 * own, so that its standard input is empty.
 */
function sourcing(command: string, redirection = ''): string {
  const end = `END_${randomUUID()}`;
  return `builtin source /dev/fd/9 9<<'${end}' ${redirection}\n${command}\n${end}\n`;
}

/** Prints status and running background jobs. Its errors are dropped: after `set -x` they contain this report. */
const REPORT = `{ builtin echo "[status $?"; builtin jobs -pr; builtin echo ']'; } 2>/dev/null`;

/** `text` is the report, or an error of the SDK. After `set -x` the SDK's error contains the report. */
function endingOf(text: string): Ending {
  const [, status, jobs] = /\[status (\d+)\n((?:\d+\n)*)\]/.exec(text) ?? [];
  if (status === undefined || jobs === undefined) return { how: 'lost', reason: text };
  return { how: 'exited', status: Number(status), jobs: jobs.split('\n').filter((pid) => pid !== '') };
}

function lossNote(ending: Ending): string {
  if (ending.how === 'exited') return '';
  const note = 'The next command gets a new shell: working directory, variables and background jobs are gone.';
  return `${ending.reason}\n[${note}]`;
}

function backgroundNote(jobs: readonly string[], path: string): string {
  if (jobs.length === 0) return '';
  const pids = jobs.slice(0, 20).join(', ');
  const where = `Output that is not redirected goes to ${path}.`;
  return `[${jobs.length} running in the background (process ${pids}). ${where}]`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
