/**
 * Invocations of Lambda functions. Signed requests by hand, because the SDK's Lambda client would be a tenth of the
 * harness's bundle for them.
 */
import { AwsClient } from 'aws4fetch';
import { roleCredentials, serviceEndpoint, setting, type Env } from '#aws/settings.ts';

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

export function createInvoke(env: Env, { retries }: { readonly retries: number }): Invoke {
  const region = setting(env, 'AWS_REGION');
  const endpoint = serviceEndpoint(env, 'lambda', region);
  const client = new AwsClient({ ...roleCredentials(env), region, service: 'lambda', retries });
  return async (functionName, { type, input, signal }) => {
    const url = new URL(`/2015-03-31/functions/${encodeURIComponent(functionName)}/invocations`, endpoint);
    const response = await client.fetch(url.href, {
      method: 'POST',
      headers: { 'X-Amz-Invocation-Type': type, 'Content-Type': 'application/json' },
      body: JSON.stringify(input),
      signal,
    });
    const body = await response.text();
    // A function that failed answers 200 too, with this header.
    if (response.ok && !response.headers.has('x-amz-function-error')) return body;
    throw new InvocationFailed(response.status);
  };
}
