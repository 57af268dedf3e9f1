/** Runs git for a clone: with the agent's rights, and with nothing that the agent or a repository could have configured. */
import { spawn } from 'node:child_process';
import { stripVTControlCharacters } from 'node:util';

export type Git = (args: readonly string[]) => Promise<Ran>;

export type Ran =
  | { readonly status: 'done' }
  /** `said` is the end of what git wrote. */
  | { readonly status: 'failed'; readonly said: string }
  /** There is no program `git`. */
  | { readonly status: 'absent' }
  | { readonly status: 'stopped' };

const MAX_KEPT_CHARS = 20_000;
/** A connection that carries nothing for so long is dead. */
const SILENCE_SECONDS = 120;

/** No hook, no helper, no file of the machine, and no protocol but HTTPS. */
const SETTINGS = [
  ...['core.hooksPath=/dev/null', 'core.fsmonitor=false', 'credential.helper=', 'protocol.allow=never'],
  ...['protocol.https.allow=always', 'submodule.recurse=false', 'gc.auto=0', 'maintenance.auto=false'],
  ...['http.lowSpeedLimit=1', `http.lowSpeedTime=${SILENCE_SECONDS}`],
].flatMap((setting) => ['-c', setting]);

const VARIABLES = {
  GIT_TERMINAL_PROMPT: '0',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ATTR_NOSYSTEM: '1',
  // A repository's host is never this machine.
  NO_PROXY: '',
  no_proxy: '',
  // Its words are read.
  LC_ALL: 'C',
};

/** @param environment of commands: how they find the way out */
export function gitWith(environment: Readonly<Record<string, string>>, signal: AbortSignal): Git {
  return (args) =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve({ status: 'stopped' });
      const child = spawn('git', [...SETTINGS, ...args], {
        cwd: '/',
        env: { ...environment, ...VARIABLES },
        stdio: ['ignore', 'ignore', 'pipe'],
        // git and its helpers are a group of their own, so that they can be ended together.
        detached: true,
      });
      let said = '';
      const end = (): void => {
        try {
          if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
        } catch {
          child.kill('SIGKILL');
        }
      };
      signal.addEventListener('abort', end, { once: true });
      child.stderr.on('data', (chunk: Buffer) => void (said = (said + chunk.toString('utf8')).slice(-MAX_KEPT_CHARS)));
      child.once('error', () => resolve({ status: 'absent' }));
      child.once('close', (code) => {
        signal.removeEventListener('abort', end);
        if (signal.aborted) resolve({ status: 'stopped' });
        else resolve(code === 0 ? { status: 'done' } : { status: 'failed', said: stripVTControlCharacters(said) });
      });
    });
}
