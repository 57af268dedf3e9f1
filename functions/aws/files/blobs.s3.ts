/**
 * Blobs as objects of the content bucket. Signed requests by hand, as for the content of logs: streams go through as they
 * come, and are never held in memory as a whole.
 */
import aws4 from 'aws4';
import { createPresigner } from '#aws/presign.ts';
import { pause } from '#aws/stamp.ts';
import { roleCredentials, serviceEndpoint, setting, type Env } from '#aws/settings.ts';
import { Fault } from '#core/ports/errors.ts';
import type { BlobRemover, Blobs, BlobUploads } from '#core/ports/blobs.ts';

/** Until the response begins. A blob of 500 MB takes its time to be written. */
const TIMEOUT_MS = 10 * 60_000;
/** After the first try, of a request whose body can be sent again; each waits twice as long as the one before. */
const RETRIES = 3;
const FIRST_PAUSE_MS = 50;
/** A client follows a link at once. The download that it begins may last longer. */
const LINK_SECONDS = 300;

/** For a body that is a stream. Without the last two, `fetch` keeps a copy of all bytes, to send them again after a redirect. */
const ONCE = { duplex: 'half', redirect: 'error', window: null } as const;

interface Asked {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function createBlobs(env: Env, bucket: string): Blobs & BlobRemover & BlobUploads {
  const region = setting(env, 'AWS_REGION');
  const endpoint = serviceEndpoint(env, 's3', region);
  const credentials = roleCredentials(env);
  const presign = createPresigner(env, bucket);

  async function attempt(key: string, { method, query = {}, body, headers = {} }: Asked): Promise<Response> {
    const { origin, host, pathname } = new URL(`/${bucket}/${key}`, endpoint);
    // A stream is not read before it is sent.
    const signing = { ...headers, host, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
    const place = {
      service: 's3',
      region,
      method,
      path: `${pathname}?${new URLSearchParams(query)}`,
      headers: signing,
    };
    const { path, headers: signed } = aws4.sign(place, credentials);
    const init = {
      method,
      headers: signed as Record<string, string>,
      body: body ?? null,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    };
    return fetch(`${origin}${path}`, body instanceof ReadableStream ? { ...init, ...ONCE } : init);
  }

  /** Resolves with a success, or with a refusal that a repeat would get again. */
  async function ask(key: string, asked: Asked): Promise<Response> {
    const retries = asked.body instanceof ReadableStream ? 0 : RETRIES;
    for (let tried = 0; ; tried += 1) {
      const [outcome] = await Promise.allSettled([attempt(key, asked)]);
      const response = outcome.status === 'fulfilled' ? outcome.value : null;
      if (response !== null && response.status < 500 && response.status !== 429) return response;
      await response?.body?.cancel();
      if (tried === retries) return unavailable(outcome.status === 'fulfilled' ? response?.status : outcome.reason);
      await pause(FIRST_PAUSE_MS * 2 ** tried);
    }
  }

  async function request(key: string, asked: Asked): Promise<Response> {
    const response = await ask(key, asked);
    if (response.ok) return response;
    await response.body?.cancel();
    return unavailable(response.status);
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
    link(blob, { type, disposition }) {
      const query = { 'response-content-type': type, 'response-content-disposition': disposition };
      return presign({ method: 'GET', key: blob, seconds: LINK_SECONDS, query });
    },
    async remove(blob, upload) {
      if (upload !== undefined) {
        const ended = await ask(blob, { method: 'DELETE', query: { uploadId: upload } });
        // Joined parts, and those that were removed before, are no upload any more.
        if (!ended.ok && (await codeOf(ended)) !== 'NoSuchUpload') unavailable(ended.status);
      }
      await drain(await request(blob, { method: 'DELETE' }));
    },
    async begin(blob) {
      const headers = { 'content-type': 'application/octet-stream' };
      const begun = await (await request(blob, { method: 'POST', query: { uploads: '' }, headers })).text();
      const upload = /<UploadId>([^<]+)<\/UploadId>/.exec(begun)?.[1] ?? unavailable('no name of an upload');
      return { blob, upload };
    },
    signPart({ blob, upload }, { number, bytes, seconds }) {
      const query = { partNumber: String(number), uploadId: upload };
      return presign({ method: 'PUT', key: blob, seconds, query, bytes });
    },
    async join({ blob, upload }, parts, sizeBytes) {
      const named = parts.map(
        ({ number, etag }) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`,
      );
      const body = `<CompleteMultipartUpload>${named.join('')}</CompleteMultipartUpload>`;
      const headers = { 'x-amz-mp-object-size': String(sizeBytes) };
      const response = await ask(blob, { method: 'POST', query: { uploadId: upload }, body, headers });
      // S3 begins its answer before it has joined the parts, so an error may come with a status of success.
      const code = await codeOf(response);
      if (response.ok && code === null) return 'joined';
      if (code === 'InvalidPart' || code === 'EntityTooSmall') return 'wrong parts';
      if (code === 'InvalidRequest') return 'wrong size';
      if (code !== 'NoSuchUpload') return unavailable(code ?? response.status);
      // An earlier attempt joined them, or they are gone. S3 does not tell a missing object from one that is not to be read.
      const found = await ask(blob, { method: 'HEAD' });
      if (found.ok) return 'joined';
      return found.status === 404 || found.status === 403 ? 'gone' : unavailable(found.status);
    },
  };
}

/** The error that S3 tells in its answer. */
async function codeOf(response: Response): Promise<string | null> {
  const text = await response.text().catch(unavailable);
  const begin = text.indexOf('<Error>');
  return begin < 0 ? null : (/<Code>(\w+)<\/Code>/.exec(text.slice(begin))?.[1] ?? null);
}

/** The connection is of use again when the response was read. */
async function drain(response: Response): Promise<void> {
  await response.arrayBuffer().catch(unavailable);
}

function unavailable(cause: unknown): never {
  throw new Fault('content_unavailable', 'the content bucket did not answer', { cause });
}
