/**
 * Blobs as objects of the content bucket. Signed requests by hand, as for the content of logs: streams go through as they
 * come, and are never held in memory as a whole.
 */
import { AwsV4Signer } from 'aws4fetch';
import { pause } from '#aws/stamp.ts';
import { roleCredentials, serviceEndpoint, setting, type Env } from '#aws/settings.ts';
import { Fault } from '#core/ports/errors.ts';
import type { BlobRemover, Blobs } from '#core/ports/blobs.ts';

/** Until the response begins. A blob of 500 MB takes its time to be written. */
const TIMEOUT_MS = 10 * 60_000;
/** After the first try, of a request whose body can be sent again; each waits twice as long as the one before. */
const RETRIES = 3;
const FIRST_PAUSE_MS = 50;

interface Asked {
  readonly method: 'GET' | 'PUT' | 'DELETE';
  readonly body?: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
  readonly headers?: Readonly<Record<string, string>>;
}

export function createBlobs(env: Env, bucket: string): Blobs & BlobRemover {
  const region = setting(env, 'AWS_REGION');
  const endpoint = serviceEndpoint(env, 's3', region);
  const credentials = roleCredentials(env);

  async function attempt(key: string, { method, body, headers = {} }: Asked): Promise<Response> {
    const url = new URL(`/${bucket}/${key}`, endpoint).href;
    const signed = await new AwsV4Signer({ ...credentials, url, method, region, service: 's3', headers }).sign();
    const init = { method, headers: signed.headers, body: body ?? null, signal: AbortSignal.timeout(TIMEOUT_MS) };
    return fetch(signed.url, body instanceof ReadableStream ? { ...init, duplex: 'half' } : init);
  }

  async function request(key: string, asked: Asked): Promise<Response> {
    const retries = asked.body instanceof ReadableStream ? 0 : RETRIES;
    for (let tried = 0; ; tried += 1) {
      const [outcome] = await Promise.allSettled([attempt(key, asked)]);
      if (outcome.status === 'fulfilled' && outcome.value.ok) return outcome.value;
      const cause: unknown = outcome.status === 'fulfilled' ? outcome.value.status : outcome.reason;
      if (outcome.status === 'fulfilled') await outcome.value.body?.cancel();
      if (tried === retries || (typeof cause === 'number' && cause < 500 && cause !== 429)) return unavailable(cause);
      await pause(FIRST_PAUSE_MS * 2 ** tried);
    }
  }

  return {
    async put({ blob, sizeBytes, bytes }) {
      const headers = { 'content-length': String(sizeBytes), 'content-type': 'application/octet-stream' };
      await drain(await request(blob, { method: 'PUT', body: bytes, headers }));
    },
    async get(blob) {
      const { body } = await request(blob, { method: 'GET' });
      return body ?? unavailable('no body');
    },
    async remove(blob) {
      await drain(await request(blob, { method: 'DELETE' }));
    },
  };
}

/** The connection is of use again when the response was read. */
async function drain(response: Response): Promise<void> {
  await response.arrayBuffer().catch(unavailable);
}

function unavailable(cause: unknown): never {
  throw new Fault('content_unavailable', 'the content bucket did not answer', { cause });
}
