/** Copies of files for a session: another row that names the same bytes. */
import { FileId, type Instant, type SessionId } from '#contract/ids.ts';
import type { FileCopy, StoredFile } from '#core/ports/files.ts';

/** `file_` and the token of a new file: what a file and its copies have in common. */
const FAMILY_CHARS = 'file_'.length + 24;

/** The part of an id that names the blob's partition. */
export function familyOf(id: string): string {
  return id.slice(0, FAMILY_CHARS);
}

interface NewCopy extends Pick<FileCopy, 'listed'> {
  readonly session: SessionId;
  readonly token: string;
  readonly at: Instant;
}

/** A copy does not expire: it lives as long as its session. */
export function copyOf(source: StoredFile, { session, token, at, listed }: NewCopy): FileCopy {
  const id = FileId.parse(`${familyOf(source.file.id)}${token}`);
  const scope = { type: 'session' as const, id: session };
  const file = { ...source.file, id, created_at: at, downloadable: false, expires_at: null, scope };
  return { source, copy: { file, blob: source.blob }, listed };
}

export function isExpired({ file: { expires_at } }: StoredFile, now: Instant): boolean {
  return expires_at !== null && expires_at <= now;
}
