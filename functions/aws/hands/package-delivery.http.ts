/** Streams an archive from the bucket into a sandbox, inside the VPC; it is never held in memory as a whole. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GetObjectCommand, NoSuchKey, S3ServiceException, type S3Client } from '@aws-sdk/client-s3';
import { Fault } from '#core/ports/errors.ts';
import type { Delivered, PackageDelivery } from '#core/ports/sandboxes.ts';
import { archiveKey } from '#aws/hands/package-keys.ts';

/** A sandbox is taken for dead after so long without a byte; unpacking delays the last ones. */
const SILENCE_MS = 120_000;

export function createPackageDelivery(s3: S3Client, bucket: string): PackageDelivery {
  return {
    async deliver(place, archive) {
      const object = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: archiveKey(archive) })).catch(absent);
      if (object === null) return { status: 'missing' };
      if (!(object.Body instanceof Readable)) throw new Fault('content_unavailable', 'the archive has no body');
      return send(place, { archive, body: object.Body, bytes: object.ContentLength ?? 0 });
    },
  };
}

interface Parcel {
  readonly archive: string;
  readonly body: Readable;
  readonly bytes: number;
}

async function send(place: { address: string; token: string }, parcel: Parcel): Promise<Delivered> {
  const outgoing = httpRequest(`http://${place.address}/packages/${parcel.archive}`, {
    method: 'PUT',
    agent: false,
    timeout: SILENCE_MS,
    headers: { authorization: `Bearer ${place.token}`, 'content-length': parcel.bytes },
  });
  outgoing.on('timeout', () => outgoing.destroy());
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve).once('error', reject);
  });
  // A sandbox that refuses may answer before it has taken everything: its answer counts, not the broken pipe.
  const [answer] = await Promise.allSettled([answered, pipeline(parcel.body, outgoing)]);
  if (answer.status === 'rejected') return { status: 'interrupted' };
  answer.value.resume();
  const { statusCode = 0 } = answer.value;
  if (statusCode === 200) return { status: 'delivered' };
  // 401: another sandbox has the address. 503: it is stopping. The repeated call finds out both.
  return { status: statusCode === 401 || statusCode === 503 ? 'interrupted' : 'refused' };
}

/** Without the right to list, S3 answers AccessDenied for a missing object. */
function absent(cause: unknown): null {
  if (cause instanceof NoSuchKey) return null;
  if (cause instanceof S3ServiceException && cause.name === 'AccessDenied') return null;
  throw new Fault('content_unavailable', 'the content bucket did not answer', { cause });
}
