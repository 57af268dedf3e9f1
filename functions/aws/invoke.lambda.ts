/** Invocations of Lambda functions. */
import type { Env } from '#aws/settings.ts';
import { createSignedPost, type Posted } from '#aws/clients.ts';
import { pause } from '#aws/stamp.ts';

interface Invocation {
  /** `Event`: Lambda accepts it, and the caller does not wait for its result. */
  readonly type: 'Event' | 'RequestResponse';
  readonly input: object;
  /** Ends the wait for the answer. */
  readonly signal: AbortSignal;
}

/** What the function answered, as text; rejects when it was not reached, or failed. */
type Invoke = (functionName: string, invocation: Invocation) => Promise<string>;

/** The invocation was answered, with `message` and nothing of the body, which is for the function's own log. */
export class InvocationFailed extends Error {
  override readonly name = 'InvocationFailed';
  /** Whether the same invocation can succeed later: it was throttled, or the function or Lambda itself broke down. */
  readonly retryable: boolean;

  constructor(status: number) {
    super(`answered ${status}`);
    // A function that failed was answered like one that did not.
    this.retryable = status < 400 || status === 429 || status >= 500;
  }
}

/** The pause before the first repeat; each further one is twice as long. */
const PAUSE_MS = 50;

/** `retries` repeats follow when Lambda throttles, or breaks down itself. */
export function createInvoke(env: Env, { retries }: { readonly retries: number }): Invoke {
  const post = createSignedPost(env, 'lambda');
  return async (functionName, { type, input, signal }) => {
    const path = `/2015-03-31/functions/${encodeURIComponent(functionName)}/invocations`;
    const headers = { 'x-amz-invocation-type': type, 'content-type': 'application/json' };
    const body = JSON.stringify(input);
    for (let attempt = 0; ; attempt += 1) {
      const answer = await post({ path, headers, body, signal });
      // A function that failed answers 200 too, with this header.
      if (isOk(answer) && answer.headers['x-amz-function-error'] === undefined) return answer.text;
      if (attempt === retries || !(answer.status === 429 || answer.status >= 500)) {
        throw new InvocationFailed(answer.status);
      }
      await pause(PAUSE_MS * 2 ** attempt * (0.5 + Math.random()));
    }
  };
}

const isOk = ({ status }: Posted) => status >= 200 && status < 300;
