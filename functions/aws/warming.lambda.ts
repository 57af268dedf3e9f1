/**
 * Early provisioning as an asynchronous Lambda invocation. One signed request, because the SDK's Lambda client would be
 * a tenth of the harness's bundle for it.
 */
import { AwsClient } from 'aws4fetch';
import { Fault } from '#core/errors.ts';
import type { Warming } from '#core/ports.ts';
import { setting, type Environment } from '#aws/settings.ts';

/** A head start is not worth waiting for: the answer that asked for it is complete by then. */
const TIMEOUT_MS = 2000;

export function createWarming(environment: Environment, functionName: string): Warming {
  const region = setting(environment, 'AWS_REGION');
  const endpoint =
    environment['AWS_ENDPOINT_URL_LAMBDA'] ??
    environment['AWS_ENDPOINT_URL'] ??
    `https://lambda.${region}.${region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'}`;
  const url = new URL(`/2015-03-31/functions/${encodeURIComponent(functionName)}/invocations`, endpoint);
  const sessionToken = environment['AWS_SESSION_TOKEN'];
  const client = new AwsClient({
    accessKeyId: setting(environment, 'AWS_ACCESS_KEY_ID'),
    secretAccessKey: setting(environment, 'AWS_SECRET_ACCESS_KEY'),
    ...(sessionToken === undefined ? {} : { sessionToken }),
    region,
    service: 'lambda',
    retries: 1,
  });
  return {
    async warm(key) {
      const response = await client.fetch(url.href, {
        method: 'POST',
        headers: { 'X-Amz-Invocation-Type': 'Event', 'Content-Type': 'application/json' },
        body: JSON.stringify(key),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      await response.arrayBuffer();
      if (!response.ok) throw new Fault('sandbox_not_ready', `early provisioning answered ${response.status}`);
    },
  };
}
