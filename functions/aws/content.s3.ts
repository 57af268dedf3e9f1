/** Log content too large for an item. It is written before the item that names it, so a key always leads somewhere. */
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { Fault } from '#core/errors.ts';

export interface ContentStore {
  put(key: string, content: string): Promise<void>;
  get(key: string): Promise<string>;
}

export function createContentStore(s3: S3Client, bucket: string): ContentStore {
  return {
    async put(key, content) {
      await s3
        .send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: content, ContentType: 'application/json' }))
        .catch(unavailable);
    },
    async get(key) {
      const object = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key })).catch(unavailable);
      if (object.Body === undefined) throw new Fault('stored_data_invalid', `the content ${key} has no body`);
      return object.Body.transformToString();
    },
  };
}

/** For the only one that deletes content: whoever removes a whole session. A repeat changes nothing. */
export interface ContentRemover {
  remove(key: string): Promise<void>;
}

export function createContentRemover(s3: S3Client, bucket: string): ContentRemover {
  return {
    async remove(key) {
      await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: key })).catch(unavailable);
    },
  };
}

function unavailable(cause: unknown): never {
  throw new Fault('content_unavailable', 'the content bucket did not answer', { cause });
}
