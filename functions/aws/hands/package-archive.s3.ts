/** Reads an archive from the bucket; it is never held in memory as a whole. */
import { Readable } from 'node:stream';
import { GetObjectCommand, NoSuchKey, S3ServiceException, type S3Client } from '@aws-sdk/client-s3';
import { Fault } from '#core/ports/errors.ts';
import type { ArchiveReader } from '#core/ports/sandboxes.ts';
import { archiveKey } from '#aws/hands/package-keys.ts';

export function createArchiveReader(s3: S3Client, bucket: string): ArchiveReader {
  return {
    async read(archive) {
      const object = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: archiveKey(archive) })).catch(absent);
      if (object === null) return null;
      if (!(object.Body instanceof Readable)) throw new Fault('content_unavailable', 'the archive has no body');
      return { bytes: object.ContentLength ?? 0, body: object.Body };
    },
  };
}

/** Without the right to list, S3 answers AccessDenied for a missing object. */
function absent(cause: unknown): null {
  if (cause instanceof NoSuchKey) return null;
  if (cause instanceof S3ServiceException && cause.name === 'AccessDenied') return null;
  throw new Fault('content_unavailable', 'the content bucket did not answer', { cause });
}
