import { randomUUID } from 'node:crypto';
import { linkSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/** Replaces a file as a whole: a reader sees the old content or the new one, even if this process dies in between. */
export function replaceFile(file: string, content: string | Buffer, mode = 0o644): void {
  const draft = `${file}.${randomUUID()}.draft`;
  writeFileSync(draft, content, { mode });
  renameSync(draft, file);
}

/** Creates a file as a whole. @returns false when it exists already, in which case nothing changes */
export function createFile(file: string, content: string | Buffer, mode = 0o644): boolean {
  const draft = `${file}.${randomUUID()}.draft`;
  writeFileSync(draft, content, { mode });
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (Object(error).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft);
  }
}
