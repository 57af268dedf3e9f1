/** The end of log content that was too large for an item. */
import { DeleteObjectsCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import { unavailable } from '#aws/s3.ts';

/** For the removal of a whole session, which alone deletes content. A repeat changes nothing. */
export interface ContentRemover {
  /** Removes every object whose key begins with the prefix, whether or not an item names it. */
  removeAll(prefix: string): Promise<void>;
}

export function createContentRemover(s3: S3Client, bucket: string): ContentRemover {
  return {
    async removeAll(prefix) {
      let after: string | undefined;
      do {
        const page = await s3
          .send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: after }))
          .catch(unavailable);
        await removeListed((page.Contents ?? []).map(({ Key }) => ({ Key })));
        after = page.NextContinuationToken;
      } while (after !== undefined);
    },
  };

  /** One page of a listing holds as many objects as one request deletes. */
  async function removeListed(objects: readonly { readonly Key: string | undefined }[]): Promise<void> {
    if (objects.length === 0) return;
    const { Errors = [] } = await s3
      .send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: [...objects], Quiet: true } }))
      .catch(unavailable);
    const [refused] = Errors;
    // The request as a whole succeeds even when none of its objects is deleted.
    if (refused !== undefined) unavailable(new Error(`an object was not deleted: ${refused.Code}`));
  }
}
