/** Signed requests by hand, because the SDK's Lambda client would be most of the program, which starts on demand. */
import { AwsClient } from 'aws4fetch';
import { Grant, type EgressRequest } from '#contract/egress.ts';
import type { EgressFunction } from './egress-function.ts';
import { taskCredentials } from './task-credentials.ts';

/** A cold start of the function, and the reading of secrets. A program that waits longer for a proxy gives up. */
const ANSWER_MS = 15_000;
const RETRIES = 2;

interface LambdaOptions {
  readonly functionName: string;
  readonly region: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export function egressFunction({ functionName, region, env }: LambdaOptions): EgressFunction {
  const endpoint =
    env['AWS_ENDPOINT_URL_LAMBDA'] ??
    env['AWS_ENDPOINT_URL'] ??
    `https://lambda.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
  const url = new URL(`/2015-03-31/functions/${encodeURIComponent(functionName)}/invocations`, endpoint);
  const credentials = taskCredentials(env);

  async function ask(input: EgressRequest): Promise<unknown> {
    const client = new AwsClient({ ...(await credentials()), region, service: 'lambda', retries: RETRIES });
    const response = await client.fetch(url.href, {
      method: 'POST',
      headers: { 'X-Amz-Invocation-Type': 'RequestResponse', 'Content-Type': 'application/json' },
      body: JSON.stringify(input),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const body = await response.text();
    // A function that failed answers 200 too, with this header. The body is for its own log.
    if (response.ok && !response.headers.has('x-amz-function-error')) return JSON.parse(body);
    throw new Error(`the function egress answered ${response.status}`);
  }

  return {
    grant: async (asked) => Grant.parse(await ask({ ask: 'grant', ...asked })),
    async report(report) {
      await ask({ ask: 'report', ...report });
    },
  };
}
