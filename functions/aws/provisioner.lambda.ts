/**
 * The provision function as a port: early provisioning as an asynchronous invocation, and the end of a sandbox. Signed
 * requests by hand, because the SDK's Lambda client would be a tenth of the harness's bundle for them.
 */
import { AwsClient } from 'aws4fetch';
import { Fault } from '#core/errors.ts';
import type { ReleaseInput } from '#contract/run.ts';
import type { Releasing, Warming } from '#core/sandboxes.ts';
import { roleCredentials, serviceEndpoint, setting, type Environment } from '#aws/settings.ts';

/** A head start is not worth waiting for: the answer that asked for it is complete by then. */
const WARM_TIMEOUT_MS = 2000;
/** Below the API's own 29 s; a repeated delete goes on. */
const RELEASE_TIMEOUT_MS = 15_000;

export function createProvisioner(environment: Environment, functionName: string): Warming & Releasing {
  const region = setting(environment, 'AWS_REGION');
  const endpoint = serviceEndpoint(environment, 'lambda', region);
  const url = new URL(`/2015-03-31/functions/${encodeURIComponent(functionName)}/invocations`, endpoint);
  const client = new AwsClient({
    ...roleCredentials(environment),
    region,
    service: 'lambda',
    retries: 1,
  });
  const invoke = (type: 'Event' | 'RequestResponse', input: object, timeoutMs: number) =>
    client.fetch(url.href, {
      method: 'POST',
      headers: { 'X-Amz-Invocation-Type': type, 'Content-Type': 'application/json' },
      body: JSON.stringify(input),
      signal: AbortSignal.timeout(timeoutMs),
    });
  return {
    async warm(key) {
      const response = await invoke('Event', key, WARM_TIMEOUT_MS);
      await response.arrayBuffer();
      if (!response.ok) throw new Fault('sandbox_not_ready', `early provisioning answered ${response.status}`);
    },
    async release(session) {
      const input: ReleaseInput = { session, release: true };
      const response = await invoke('RequestResponse', input, RELEASE_TIMEOUT_MS).catch(notReleased);
      await response.arrayBuffer();
      // A function that failed answers 200 too, with this header.
      if (!response.ok || response.headers.has('x-amz-function-error')) notReleased(response.status);
    },
  };
}

function notReleased(cause: unknown): never {
  throw new Fault('sandbox_not_released', 'the sandbox of a session could not be ended', { cause });
}
