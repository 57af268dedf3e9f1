/**
 * Requests for objects of one bucket, signed by hand, sent at once or as presigned URLs. The SDK's client would be a sixth of
 * every function's bundle, and its presigner a package of its own.
 */
import aws4 from 'aws4';
import { pause } from '#aws/stamp.ts';
import { roleCredentials, serviceEndpoint, setting, type Env } from '#aws/settings.ts';
import { Fault } from '#core/ports/errors.ts';

interface ObjectRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  readonly query?: Readonly<Record<string, string>>;
  /** A stream goes through as it comes, and is never held in memory as a whole. */
  readonly body?: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | string;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Bucket {
  /** Resolves with a success, or with a refusal that a repeat would get again. Throws `Fault` `content_unavailable`. */
  ask(key: string, asked: ObjectRequest): Promise<Response>;
  /** Resolves with a success. Throws `Fault` `content_unavailable`. */
  request(key: string, asked: ObjectRequest): Promise<Response>;
}

/**
 * After the first try, of a request whose body can be sent again and that did not time out; each waits twice as long as the
 * one before.
 */
const RETRIES = 3;
const FIRST_PAUSE_MS = 50;

/** For a body that is a stream. Without the last two, `fetch` keeps a copy of all bytes, to send them again after a redirect. */
const ONCE = { duplex: 'half', redirect: 'error', window: null } as const;

/** `timeoutMs`: of one try, until the whole response was read. */
export function createBucket(env: Env, bucket: string, { timeoutMs }: { readonly timeoutMs: number }): Bucket {
  const sign = createSigner(env, bucket);

  async function attempt(key: string, { method, query = {}, body, headers = {} }: ObjectRequest): Promise<Response> {
    const { origin, host, path } = sign.place(key, query);
    // Bytes are not read before they are sent.
    const isText = body === undefined || typeof body === 'string';
    const signing = { ...headers, host, ...(!isText && { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }) };
    const signed = sign.request({ method, path, headers: signing, ...(isText && { body: body ?? '' }) });
    const init = {
      method,
      headers: signed.headers as Record<string, string>,
      body: body ?? null,
      signal: AbortSignal.timeout(timeoutMs),
    };
    return fetch(`${origin}${signed.path}`, body instanceof ReadableStream ? { ...init, ...ONCE } : init);
  }

  async function ask(key: string, asked: ObjectRequest): Promise<Response> {
    const retries = asked.body instanceof ReadableStream ? 0 : RETRIES;
    for (let tried = 0; ; tried += 1) {
      const [outcome] = await Promise.allSettled([attempt(key, asked)]);
      const response = outcome.status === 'fulfilled' ? outcome.value : null;
      if (response !== null && response.status < 500 && response.status !== 429) return response;
      await response?.body?.cancel();
      const cause: unknown = outcome.status === 'fulfilled' ? response?.status : outcome.reason;
      if (tried === retries || isLate(cause)) return unavailable(cause);
      await pause(FIRST_PAUSE_MS * 2 ** tried);
    }
  }

  return {
    ask,
    async request(key, asked) {
      const response = await ask(key, asked);
      if (response.ok) return response;
      await response.body?.cancel();
      return unavailable(response.status);
    },
  };
}

interface Presigned {
  readonly method: 'GET' | 'PUT';
  readonly key: string;
  /** S3 refuses the URL earlier when the function's own credentials end earlier. */
  readonly seconds: number;
  readonly query?: Readonly<Record<string, string>>;
  /** Exactly as many bytes as the body must have. @default any number */
  readonly bytes?: number;
}

export function createPresigner(env: Env, bucket: string): (asked: Presigned) => Promise<string> {
  const sign = createSigner(env, bucket);
  return async ({ method, key, seconds, query = {}, bytes }) => {
    const { origin, host, path } = sign.place(key, { ...query, 'X-Amz-Expires': String(seconds) });
    // Clients send their length with any body that they have whole, so it can be a part of what is signed.
    const headers = bytes === undefined ? {} : { 'content-length': String(bytes) };
    return `${origin}${sign.request({ method, host, path, headers, signQuery: true }).path}`;
  };
}

function createSigner(env: Env, bucket: string) {
  const region = setting(env, 'AWS_REGION');
  const endpoint = serviceEndpoint(env, 's3', region);
  const credentials = roleCredentials(env);
  return {
    place(key: string, query: Readonly<Record<string, string>>) {
      const { origin, host, pathname } = new URL(`/${bucket}/${key}`, endpoint);
      return { origin, host, path: `${pathname}?${new URLSearchParams(query)}` };
    },
    request: (asked: aws4.Request) => aws4.sign({ service: 's3', region, ...asked }, credentials),
  };
}

const isLate = (cause: unknown) => cause instanceof Error && cause.name === 'TimeoutError';

/** @throws Fault `content_unavailable` */
export function unavailable(cause: unknown): never {
  throw new Fault('content_unavailable', 'the content bucket did not answer', { cause });
}
