/** Bodies that go into a file as they come. */
import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export interface Draft {
  readonly file: string;
  readonly size: number;
  /** Hex digests. */
  readonly md5: string;
  readonly sha256: string;
}

/** Those of a runtime that was killed. */
export function removeDrafts(dir: string): void {
  for (const file of readdirSync(dir)) if (file.endsWith('.draft')) rmSync(join(dir, file));
}

export function draftFile(dir: string): string {
  return join(dir, `${randomUUID()}.draft`);
}

/** Bytes that break off leave no file. */
export async function writeDraft(file: string, bytes: AsyncIterable<Buffer>): Promise<Draft> {
  const [md5, sha256] = [createHash('md5'), createHash('sha256')];
  let size = 0;
  async function* counted() {
    for await (const chunk of bytes) {
      md5.update(chunk);
      sha256.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  }
  try {
    await pipeline(Readable.from(counted(), { objectMode: false }), createWriteStream(file));
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  }
  return { file, size, md5: md5.digest('hex'), sha256: sha256.digest('hex') };
}
