import type { Readable } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { rejectOnAbort, takeTurns } from './abort.ts';
import type { Capture, Outputs } from './output.ts';
import { outputPipes, type OutputPipe } from './output-pipes.ts';
import { startShell, type Report, type Shell } from './shell.ts';

const DEFAULT_TIMEOUT_MS = 120_000;
/** Limits the output of one command and its background jobs, which would otherwise fill the task's disk. */
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;
/** Longer than any report: thousands of background jobs. */
const MAX_REPORT_BYTES = 100_000;
const QUIET_MS = 20;
/** One for the primary thread of a session and one for each of the 25 that may run beside it. */
const MAX_SHELLS = 26;

export interface ToolCall {
  readonly call: string;
  /** The thread that makes the call; empty for none. */
  readonly thread: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly timeoutMs: number;
}

export interface ToolResult {
  readonly text: string;
  readonly isError: boolean;
}

export type RunTool = (call: ToolCall, signal: AbortSignal) => Promise<ToolResult>;

const BashInput = z.looseObject({
  command: z.string().nullish(),
  restart: z.boolean().nullish(),
  timeout_ms: z.number().positive().nullish(),
});

/** How a command ended. */
type Ending =
  | {
      readonly how: 'exited';
      readonly status: number;
      /** The background jobs that it began, and how many there are in all. */
      readonly jobs: readonly string[];
      readonly running: number;
    }
  /** The shell ended with it, by itself. */
  | { readonly how: 'left'; readonly sentence: string; readonly status: number | null }
  /** The shell was ended, because the command had no end. */
  | { readonly how: 'stopped'; readonly sentence: string };

const GONE = '[The next command gets a new shell: working directory and variables are gone.]';
const ALL_GONE = '[The next command gets a new shell: working directory, variables and background jobs are gone.]';
const RENEWED =
  '[This is a new shell, because other threads needed shells while yours was idle: its working directory, variables and background jobs are gone.]';

export interface BashLimits {
  readonly maxOutputBytes?: number | undefined;
  readonly maxShells?: number | undefined;
}

/** What the server knows of a thread that has used `bash`. */
interface ShellOfThread {
  readonly inTurn: ReturnType<typeof takeTurns>;
  readonly knownJobs: Set<string>;
  shell: Shell | null;
  /** Commands that run or wait for their turn. */
  commands: number;
  /** Its last command left background jobs. */
  hasJobs: boolean;
  /** The shell was ended for another thread's, and no result has told it. */
  isRenewed: boolean;
}

/**
 * The SDK's `bash` with another way to run commands: the SDK keeps only the last 100 KiB of output and nothing after a
 * timeout, tells no exit status beside output, and scans its output in quadratic time. Each thread has a shell of its own,
 * and commands of different threads run beside each other.
 */
export function bashIn(
  workdir: string,
  env: () => Readonly<Record<string, string>>,
  { outputs, maxOutputBytes = MAX_OUTPUT_BYTES, maxShells = MAX_SHELLS }: BashLimits & { readonly outputs: Outputs },
): { readonly run: RunTool; close(): void } {
  const pipes = outputPipes();
  /** The one that was used last is the last. */
  const threads = new Map<string, ShellOfThread>();

  function threadOf(id: string): ShellOfThread {
    const own = threads.get(id) ?? {
      ...{ inTurn: takeTurns(), knownJobs: new Set<string>(), shell: null },
      ...{ commands: 0, hasJobs: false, isRenewed: false },
    };
    threads.delete(id);
    threads.set(id, own);
    return own;
  }

  /** Ends an idle shell when there are too many; one with background jobs only when every idle one has some. */
  function makeRoom(): 'room' | 'no room' {
    const living = [...threads.values()].filter(({ shell }) => shell !== null);
    if (living.length < maxShells) return 'room';
    const idle = living.filter(({ commands }) => commands === 0);
    const ended = idle.find(({ hasJobs }) => !hasJobs) ?? idle[0];
    if (ended === undefined) return 'no room';
    end(ended);
    ended.isRenewed = true;
    return 'room';
  }

  async function runCommand(own: ShellOfThread, command: string, call: ToolCall & Stopped): Promise<ToolResult> {
    if (own.shell === null && makeRoom() === 'no room') return { text: noShell(maxShells), isError: true };
    const used = (own.shell ??= startShell(workdir, env()));
    const { knownJobs } = own;
    const capture = outputs.capture(call.call);
    const pipe = await pipes.take();
    const ending = await runIn(used, { command, capture, pipe, stop: call.stop, knownJobs, maxOutputBytes });
    if (ending.how !== 'exited' && own.shell === used) own.shell = null;
    const result = resultOf(ending, capture, own.isRenewed ? [RENEWED] : []);
    own.isRenewed = false;
    own.hasJobs = ending.how === 'exited' && ending.running > 0;
    capture.commandEnded(ending.how === 'exited' && ending.jobs.length > 0 ? 'has jobs' : 'has no jobs');
    return result;
  }

  function end(own: ShellOfThread): void {
    own.shell?.kill();
    own.shell = null;
  }

  async function run(call: ToolCall, signal: AbortSignal): Promise<ToolResult> {
    const { command, restart, timeout_ms } = BashInput.parse(call.input);
    const timeoutMs = Math.min(timeout_ms ?? DEFAULT_TIMEOUT_MS, call.timeoutMs);
    const own = threadOf(call.thread);
    own.commands += 1;
    try {
      return await own.inTurn(signal, async () => {
        if (restart === true) {
          end(own);
          own.isRenewed = false;
        }
        const stop = AbortSignal.any([signal, timeoutOf(timeoutMs)]);
        if (command) return runCommand(own, command, { ...call, stop });
        if (restart === true) return { text: 'bash session restarted', isError: false };
        return { text: 'bash: command is required', isError: true };
      });
    } finally {
      own.commands -= 1;
    }
  }

  return {
    run,
    close() {
      threads.forEach(end);
      pipes.close();
    },
  };
}

interface Stopped {
  readonly stop: AbortSignal;
}

function noShell(shells: number): string {
  return `bash: the command was not run, because ${shells} threads run commands in this sandbox. Try again when one of them has ended.`;
}

function timeoutOf(timeoutMs: number): AbortSignal {
  const limit = new AbortController();
  setTimeout(() => limit.abort(new Error(`bash command timed out after ${timeoutMs}ms`)), timeoutMs).unref();
  return limit.signal;
}

function resultOf(ending: Ending, capture: Capture, told: readonly string[]): ToolResult {
  switch (ending.how) {
    case 'exited': {
      const status = ending.status === 0 ? '' : `[exit status ${ending.status}]`;
      const notes = [...told, status, backgroundNote(ending.jobs, capture.path)];
      return { text: capture.bounded(notes), isError: ending.status !== 0 };
    }
    case 'left':
      return { text: capture.bounded([...told, ending.sentence, GONE]), isError: ending.status !== 0 };
    case 'stopped':
      return { text: capture.bounded([...told, ending.sentence, ALL_GONE]), isError: true };
    default:
      return ending satisfies never;
  }
}

interface Running {
  readonly command: string;
  readonly capture: Capture;
  /** Null when the disk does not allow one: then the command uses the shell's own output. */
  readonly pipe: OutputPipe | null;
  readonly stop: AbortSignal;
  /** Jobs that an earlier result has told, and with this command its own. */
  readonly knownJobs: Set<string>;
  readonly maxOutputBytes: number;
}

/** Runs one command to its end. Its background jobs go on, and so does the reading of what they write. */
async function runIn(
  shell: Shell,
  { command, capture, pipe, stop, knownJobs, maxOutputBytes }: Running,
): Promise<Ending> {
  const report = shell.send(command, pipe?.path ?? null);
  const reading = readOutput(pipe?.stream ?? shell.stdout, { report, capture, maxOutputBytes });
  const left = shell.ended.then(({ status, how }) => {
    return { how: 'left', status, sentence: `bash: the shell ${how}` } as const;
  });
  const stopped = rejectOnAbort(stop).catch((reason: unknown) => {
    return { how: 'stopped', sentence: `bash: ${reason instanceof Error ? reason.message : 'stopped'}` } as const;
  });
  const ending = await Promise.race([reading.ending, left, stopped]);
  if (ending.how === 'stopped') shell.kill();
  if (ending.how !== 'exited') await untilQuiet(capture);
  reading.commandEnded();
  pipe?.commandEnded();
  if (pipe === null) reading.leave();
  else pipe.stream.once('close', () => capture.close());
  if (ending.how !== 'exited') return ending;
  const jobs = ending.jobs.filter((pid) => !knownJobs.has(pid));
  for (const pid of jobs) knownJobs.add(pid);
  return { ...ending, jobs };
}

interface Reading {
  /** Resolves when the report has come, or too much output. */
  readonly ending: Promise<Ending>;
  commandEnded(): void;
  /** Stops reading. */
  leave(): void;
}

/** Gives output to the capture: first the command's, up to the report of the shell, then that of its background jobs. */
function readOutput(
  stream: Readable,
  { report, capture, maxOutputBytes }: Pick<Running, 'capture' | 'maxOutputBytes'> & { readonly report: Report },
): Reading {
  const { promise, resolve } = Promise.withResolvers<Ending>();
  let read: 'output' | 'report' | 'later output' = 'output';
  /** Bytes that may be the beginning of a mark, or a report that has not come as a whole. */
  let held: Buffer = Buffer.alloc(0);

  function take(chunk: Buffer): void {
    capture.take(chunk);
    if (capture.bytes() <= maxOutputBytes) return;
    resolve({
      how: 'stopped',
      sentence: `bash: the command was stopped, it wrote more than ${maxOutputBytes} bytes`,
    });
    // Processes that write to a pipe without a reader are ended by SIGPIPE.
    stream.destroy();
  }

  function onData(chunk: Buffer): void {
    if (read === 'later output') return take(chunk);
    held = Buffer.concat([held, chunk]);
    if (read === 'output') {
      const at = held.indexOf(report.begin);
      const output = at < 0 ? Math.max(0, held.length - report.begin.length) : at;
      take(held.subarray(0, output));
      held = held.subarray(output);
      if (at < 0) return;
      read = 'report';
    }
    const end = held.indexOf(report.end);
    if (end < 0 && held.length <= MAX_REPORT_BYTES) return;
    const [status = '', ...jobs] = held.toString('utf8', report.begin.length, end).split('\n');
    const begun = jobs.filter((pid) => pid !== '');
    resolve({ how: 'exited', status: Number(status), jobs: begun, running: begun.length });
    const later = held.subarray(end + report.end.length);
    commandEnded();
    if (later.length > 0) take(later);
  }

  function commandEnded(): void {
    if (read === 'output') take(held);
    held = Buffer.alloc(0);
    read = 'later output';
  }

  stream.on('data', onData);
  return { ending: promise, commandEnded, leave: () => void stream.off('data', onData) };
}

/** Output may still be in the pipe when the shell has ended. A job that goes on writing is not waited for. */
async function untilQuiet(capture: Capture): Promise<void> {
  for (let round = 0, seen = -1; round < 10 && seen !== capture.bytes(); round += 1) {
    seen = capture.bytes();
    await sleep(QUIET_MS);
    await nextTurn();
  }
}

function backgroundNote(jobs: readonly string[], path: string): string {
  if (jobs.length === 0) return '';
  const pids = jobs.slice(0, 20).join(', ');
  return `[${jobs.length} running in the background (process ${pids}). Output that is not redirected goes to ${path}.]`;
}
