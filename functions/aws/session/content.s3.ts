/**
 * Log content too large for an item. It is written before the item that names it, so a key always leads somewhere.
 * Signed requests by hand: the SDK's S3 client would be a sixth of every function's bundle, for two calls that few
 * sessions make.
 */
import aws4 from 'aws4';
import { Fault } from '#core/ports/errors.ts';
import { pause } from '#aws/stamp.ts';
import { roleCredentials, serviceEndpoint, setting, type Env } from '#aws/settings.ts';

export interface ContentStore {
  put(key: string, content: string): Promise<void>;
  get(key: string): Promise<string>;
}

const TIMEOUT_MS = 20_000;
/** After the first try; each waits twice as long as the one before. */
const RETRIES = 3;
const FIRST_PAUSE_MS = 50;

export function createContentStore(env: Env, bucket: string): ContentStore {
  const region = setting(env, 'AWS_REGION');
  const endpoint = serviceEndpoint(env, 's3', region);
  const credentials = roleCredentials(env);

  async function attempt(key: string, method: 'GET' | 'PUT', body: string): Promise<Response> {
    const { origin, host, pathname: path } = new URL(`/${bucket}/${key}`, endpoint);
    const headers = { host, ...(body !== '' && { 'content-type': 'application/json' }) };
    const { headers: signed } = aws4.sign({ service: 's3', region, method, path, headers, body }, credentials);
    const init = { method, headers: signed as Record<string, string>, signal: AbortSignal.timeout(TIMEOUT_MS) };
    return fetch(`${origin}${path}`, { ...init, ...(body !== '' && { body }) });
  }

  async function request(key: string, method: 'GET' | 'PUT', body = ''): Promise<string> {
    for (let tried = 0; ; tried += 1) {
      const response = await attempt(key, method, body).catch((cause: unknown) => unavailable(cause));
      const text = await response.text().catch((cause: unknown) => unavailable(cause));
      if (response.ok) return text;
      const isRetryable = response.status === 429 || response.status >= 500;
      if (!isRetryable || tried === RETRIES) return unavailable(response.status);
      await pause(FIRST_PAUSE_MS * 2 ** tried);
    }
  }

  return {
    async put(key, content) {
      await request(key, 'PUT', content);
    },
    get: (key) => request(key, 'GET'),
  };
}

function unavailable(cause: unknown): never {
  throw new Fault('content_unavailable', 'the content bucket did not answer', { cause });
}
