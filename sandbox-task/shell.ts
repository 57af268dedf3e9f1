import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';

/** A bash that keeps directory, variables and functions from one command to the next. */
export interface Shell {
  /** Gives the shell a command, whose output and report go to `output`; null stands for the shell's own output. */
  send(command: string, output: string | null): Report;
  /** The shell's own output. */
  readonly stdout: Readable;
  /** Resolves with how the shell ended, as part of a sentence. */
  readonly ended: Promise<Ended>;
  /** Ends the shell and the processes that it started. */
  kill(): void;
}

interface Ended {
  readonly status: number | null;
  readonly how: string;
}

/** What the shell prints after a command, between two marks that no earlier output can hold. */
export interface Report {
  readonly begin: string;
  readonly end: string;
}

/** The command of an idle shell, by which its process is told from others. */
export const SHELL = ['/bin/bash', '--noprofile', '--norc'] as const;

export function startShell(workdir: string, env: Readonly<Record<string, string>>): Shell {
  const [program, ...options] = SHELL;
  const child = spawn(program, options, {
    cwd: workdir,
    env: { ...env, PS1: '', PS2: '' },
    stdio: ['pipe', 'pipe', 'ignore'],
    // The processes of the shell are a group of their own, so that they can be ended with it.
    detached: true,
  });
  // A shell that ends while it reads a command breaks the pipe, and `ended` tells that it did.
  child.stdin.on('error', () => undefined);
  // What no command reads is dropped.
  child.stdout.resume();
  const ended = new Promise<Ended>((resolve) => {
    child.once('error', () => resolve({ status: null, how: 'could not be started' }));
    child.once('exit', (status, signal) =>
      resolve({ status, how: status === null ? `was ended by ${signal}` : `ended with exit status ${status}` }),
    );
  });

  function send(command: string, output: string | null): Report {
    const mark = randomUUID();
    const to = output === null ? '2>&1' : `>>${quoted(output)} 2>&1`;
    child.stdin.write(`${sourcing(command, to)}${reporting(mark, output === null ? '' : `>>${quoted(output)}`)}`);
    return { begin: `\n[${mark}\n`, end: `]${mark}\n` };
  }

  function kill(): void {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, 'SIGKILL');
    } catch {
      child.kill('SIGKILL'); // No process of the group is left, or the shell has not made it yet.
    }
  }

  return { send, stdout: child.stdout, ended, kill };
}

/**
 * Uses `source`, so that a syntax error (an unclosed quote) fails at once; otherwise the shell would wait for more input
 * until the timeout, and in `eval` it would exit. The command comes on a file descriptor of its own, and its standard
 * input is empty.
 */
function sourcing(command: string, redirection: string): string {
  const end = `END_${randomUUID()}`;
  return `builtin source /dev/fd/9 9<<'${end}' </dev/null ${redirection}\n${command}\n${end}\n`;
}

/** Prints status and running background jobs. Its errors are dropped: after `set -x` they contain this report. */
function reporting(mark: string, redirection: string): string {
  return `{ builtin printf '\\n[${mark}\\n%s\\n%s\\n]${mark}\\n' "$?" "$(builtin jobs -pr)"; } 2>/dev/null ${redirection}\n`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
