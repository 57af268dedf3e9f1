/** Signed requests by hand, because the SDK's Lambda client would be most of the program, which starts on demand. */
import { setTimeout as sleep } from 'node:timers/promises';
import aws4 from 'aws4';
import { Grant, type EgressRequest } from '#contract/egress.ts';
import type { EgressFunction } from './egress-function.ts';
import { taskCredentials } from './task-credentials.ts';

/** A cold start of the function, and the reading of secrets. A program that waits longer for a proxy gives up. */
const ANSWER_MS = 15_000;
const RETRIES = 2;
const FIRST_PAUSE_MS = 50;

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
  const { origin, host } = new URL(endpoint);
  const path = `/2015-03-31/functions/${encodeURIComponent(functionName)}/invocations`;
  const credentials = taskCredentials(env);

  async function ask(input: EgressRequest): Promise<unknown> {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const body = JSON.stringify(input);
    for (let tried = 0; ; tried += 1) {
      const headers = { host, 'x-amz-invocation-type': 'RequestResponse', 'content-type': 'application/json' };
      const place = { service: 'lambda', region, method: 'POST', path, body, headers, doNotEncodePath: true };
      const { headers: signed } = aws4.sign(place, await credentials());
      const init = { method: 'POST', headers: signed as Record<string, string>, body, signal };
      const response = await fetch(`${origin}${path}`, init);
      const text = await response.text();
      // A function that failed answers 200 too, with this header. The body is for its own log.
      if (response.ok && !response.headers.has('x-amz-function-error')) return JSON.parse(text);
      const isRetryable = response.status === 429 || response.status >= 500;
      if (!isRetryable || tried === RETRIES) throw new Error(`the function egress answered ${response.status}`);
      await sleep(FIRST_PAUSE_MS * 2 ** tried);
    }
  }

  return {
    grant: async (asked) => Grant.parse(await ask({ ask: 'grant', ...asked })),
    async report(report) {
      await ask({ ask: 'report', ...report });
    },
  };
}
