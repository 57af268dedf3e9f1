/** Blobs as objects of the content bucket. */
import { createBucket, createPresigner, unavailable } from '#aws/s3.ts';
import type { Env } from '#aws/settings.ts';
import type { BlobRemover, Blobs, BlobUploads } from '#core/ports/blobs.ts';

/** A blob of 500 MB takes its time to be written. */
const TIMEOUT_MS = 10 * 60_000;
/** A client follows a link at once. The download that it begins may last longer. */
const LINK_SECONDS = 300;

export function createBlobs(env: Env, bucket: string): Blobs & BlobRemover & BlobUploads {
  const { ask, request } = createBucket(env, bucket, { timeoutMs: TIMEOUT_MS });
  const presign = createPresigner(env, bucket);

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
