/** Archives of packages in the content bucket, and the URLs with which a build reads its order and stores its outcome. */
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { PackageFailure, type PackageOrder } from '#contract/packages.ts';
import type { FoundArchive, PackageArchives } from '#core/ports/sandboxes.ts';
import { archiveKey, PACKAGES_PREFIX } from '#aws/hands/package-keys.ts';
import { createPresigner, unavailable } from '#aws/s3.ts';
import type { Env } from '#aws/settings.ts';

/** A build reads its order when it starts, within a minute or two. */
const ORDER_SECONDS = 900;
/** A build ends before that. S3 refuses the URL earlier when the function's own credentials end earlier. */
const OUTCOME_SECONDS = 3600;

const failureKey = (archive: string) => `${PACKAGES_PREFIX}${archive}/failure.json`;
const orderKey = (archive: string) => `${PACKAGES_PREFIX}orders/${archive}.json`;

interface PackageArchivesOptions {
  readonly s3: S3Client;
  readonly bucket: string;
  readonly env: Env;
}

export function createPackageArchives({ s3, bucket, env }: PackageArchivesOptions): PackageArchives {
  const presign = createPresigner(env, bucket);
  const put = (Key: string, value: object) =>
    s3
      .send(new PutObjectCommand({ Bucket: bucket, Key, Body: JSON.stringify(value), ContentType: 'application/json' }))
      .catch(unavailable);
  return {
    async find(archive) {
      // A listing, because asking for an object that is missing needs the right to list the whole bucket.
      const Prefix = `${PACKAGES_PREFIX}${archive}/`;
      const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix })).catch(unavailable);
      if (Contents.some(({ Key }) => Key === archiveKey(archive))) return { status: 'built' };
      const failed = Contents.find(({ Key }) => Key === failureKey(archive));
      return failed === undefined ? { status: 'missing' } : readFailure(archive, failed.LastModified ?? new Date(0));
    },
    async order(archive, order) {
      const stored: PackageOrder = {
        ...order,
        archiveUrl: await presign({ method: 'PUT', key: archiveKey(archive), seconds: OUTCOME_SECONDS }),
        failureUrl: await presign({ method: 'PUT', key: failureKey(archive), seconds: OUTCOME_SECONDS }),
      };
      await put(orderKey(archive), stored);
      return presign({ method: 'GET', key: orderKey(archive), seconds: ORDER_SECONDS });
    },
    async fail(archive, failure) {
      await put(failureKey(archive), failure);
    },
  };

  async function readFailure(archive: string, at: Date): Promise<FoundArchive> {
    const { Body } = await s3
      .send(new GetObjectCommand({ Bucket: bucket, Key: failureKey(archive) }))
      .catch(unavailable);
    const failure = PackageFailure.safeParse(json(await Body?.transformToString()));
    // The build runs code of others, which may have written this object: if unreadable, it counts as the first attempt.
    const read = failure.data ?? { attempt: 1, manager: null, message: 'The build left no readable reason.' };
    return { status: 'failed', failure: read, at: at.toISOString() };
  }
}

function json(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return null;
  }
}
