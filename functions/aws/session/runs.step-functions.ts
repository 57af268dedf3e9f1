/** Runs as executions of the state machine, named by session, thread and run so that a repeated start changes nothing. */
import { Fault } from '#core/ports/errors.ts';
import { runName, type Runs } from '#core/ports/session-log.ts';
import type { Env } from '#aws/settings.ts';
import { createSignedPost } from '#aws/clients.ts';
import { pause } from '#aws/stamp.ts';

const TIMEOUT_MS = 3000;
/** Each pause is up to twice as long as the one before. */
const PAUSES_MS = [50, 100, 200, 400, 800] as const;

type Answer =
  | { readonly status: 'started' }
  /** An execution of this name has another input, or has ended. */
  | { readonly status: 'taken' }
  | { readonly status: 'refused'; readonly isRetryable: boolean; readonly cause: unknown };

/** Its name in an answer may have a namespace before it. */
const ERROR_TYPE = /"__type"\s*:\s*"(?:[^"]*#)?(\w+)"/;

export function createRuns(env: Env, stateMachineArn: string): Runs {
  const post = createSignedPost(env, 'states');

  async function ask(body: string): Promise<Answer> {
    const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AWSStepFunctions.StartExecution' };
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const { status, text } = await post({ headers, body, signal });
    if (status === 200) return { status: 'started' };
    const [, type = 'no type'] = ERROR_TYPE.exec(text) ?? [];
    if (type === 'ExecutionAlreadyExists') return { status: 'taken' };
    const isRetryable = status === 429 || status >= 500 || type.startsWith('Throttling');
    return { status: 'refused', isRetryable, cause: new Error(`answered ${status} ${type}`) };
  }

  return {
    async start(key, run) {
      // The same order as StartNextRun's input: Step Functions compares the text to tell a repeat from another input.
      const input = JSON.stringify({ session: key.session, thread: key.thread, run });
      const body = JSON.stringify({ stateMachineArn, name: runName(key, run), input });
      for (let attempt = 0; ; attempt += 1) {
        const answer = await ask(body).catch((cause: unknown): Answer => ({
          status: 'refused',
          isRetryable: true,
          cause,
        }));
        if (answer.status !== 'refused') return answer.status;
        const ms = answer.isRetryable ? PAUSES_MS[attempt] : undefined;
        if (ms === undefined) {
          throw new Fault('run_not_started', `the run ${run} of ${key.session} was not started`, {
            cause: answer.cause,
          });
        }
        await pause(ms * (1 + Math.random()));
      }
    },
  };
}
