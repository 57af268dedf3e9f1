/**
 * Log content too large for an item. It is written before the item that names it, so a key always leads somewhere.
 * Signed requests by hand: the SDK's S3 client would be a sixth of every function's bundle, for two calls that few
 * sessions make.
 */
import { AwsClient } from 'aws4fetch';
import { Fault } from '#core/ports/errors.ts';
import { roleCredentials, serviceEndpoint, setting, type Env } from '#aws/settings.ts';

export interface ContentStore {
  put(key: string, content: string): Promise<void>;
  get(key: string): Promise<string>;
}

const TIMEOUT_MS = 20_000;
/** After the first try; each waits twice as long as the one before, from 50 ms on. */
const RETRIES = 3;

export function createContentStore(env: Env, bucket: string): ContentStore {
  const region = setting(env, 'AWS_REGION');
  const endpoint = serviceEndpoint(env, 's3', region);
  const client = new AwsClient({ ...roleCredentials(env), region, service: 's3', retries: RETRIES });

  async function request(key: string, init: RequestInit): Promise<string> {
    const url = new URL(`/${bucket}/${key}`, endpoint);
    const response = await client
      .fetch(url.href, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) })
      .catch((cause: unknown) => unavailable(cause));
    const text = await response.text().catch((cause: unknown) => unavailable(cause));
    return response.ok ? text : unavailable(response.status);
  }

  return {
    async put(key, content) {
      await request(key, { method: 'PUT', body: content, headers: { 'content-type': 'application/json' } });
    },
    get: (key) => request(key, { method: 'GET' }),
  };
}

function unavailable(cause: unknown): never {
  throw new Fault('content_unavailable', 'the content bucket did not answer', { cause });
}
