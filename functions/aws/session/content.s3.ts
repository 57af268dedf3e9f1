/** Log content too large for an item. It is written before the item that names it, so a key always leads somewhere. */
import { createBucket, unavailable } from '#aws/s3.ts';
import type { Env } from '#aws/settings.ts';

export interface ContentStore {
  put(key: string, content: string): Promise<void>;
  get(key: string): Promise<string>;
}

const TIMEOUT_MS = 20_000;

export function createContentStore(env: Env, bucket: string): ContentStore {
  const objects = createBucket(env, bucket, { timeoutMs: TIMEOUT_MS });
  const textOf = (response: Response) => response.text().catch(unavailable);
  return {
    async put(key, body) {
      const headers = { 'content-type': 'application/json' };
      await textOf(await objects.request(key, { method: 'PUT', headers, body }));
    },
    get: async (key) => textOf(await objects.request(key, { method: 'GET' })),
  };
}
