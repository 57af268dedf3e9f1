/**
 * Runs as executions of the state machine, named by session, thread and run so that a repeated start changes nothing.
 * Signed requests by hand, because the SDK's client would be a twentieth of the harness's bundle for one call.
 */
import { AwsClient } from 'aws4fetch';
import { Fault } from '#core/ports/errors.ts';
import { runName, type Runs } from '#core/ports/session-log.ts';
import { roleCredentials, serviceEndpoint, setting, type Env } from '#aws/settings.ts';
import { pause } from '#aws/stamp.ts';

const TIMEOUT_MS = 10_000;
/** Each pause is up to twice as long as the one before. */
const PAUSES_MS = [50, 100, 200, 400, 800] as const;

/** `taken`: an execution of this name has another input, or has ended. */
type Answer = 'started' | 'taken' | 'again' | 'refused';

export function createRuns(env: Env, stateMachineArn: string): Runs {
  const region = setting(env, 'AWS_REGION');
  const endpoint = serviceEndpoint(env, 'states', region);
  const client = new AwsClient({ ...roleCredentials(env), region, service: 'states', retries: 0 });

  async function ask(body: string): Promise<Answer> {
    const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AWSStepFunctions.StartExecution' };
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await client.fetch(`${endpoint}/`, { method: 'POST', headers, body, signal });
    const text = await response.text();
    if (response.ok) return 'started';
    if (/"__type"\s*:\s*"[^"]*ExecutionAlreadyExists"/.test(text)) return 'taken';
    const isThrottled = response.status === 429 || /"__type"\s*:\s*"[^"]*Throttling/.test(text);
    return isThrottled || response.status >= 500 ? 'again' : 'refused';
  }

  return {
    async start(key, run) {
      // The same order as StartNextRun's input: Step Functions compares the text to tell a repeat from another input.
      const input = JSON.stringify({ session: key.session, thread: key.thread, run });
      const body = JSON.stringify({ stateMachineArn, name: runName(key, run), input });
      let cause: unknown;
      for (const ms of [...PAUSES_MS, null]) {
        const answer = await ask(body).catch((error: unknown): Answer => {
          cause = error;
          return 'again';
        });
        if (answer === 'started' || answer === 'taken') return answer;
        if (answer === 'refused' || ms === null) break;
        await pause(ms * (1 + Math.random()));
      }
      throw new Fault('run_not_started', `the run ${run} of ${key.session} was not started`, { cause });
    },
  };
}
