/** Copies of files for a session, written before what makes them the session's own, and removed when that is refused. */
import type { FileId, SessionId, WorkspaceId } from '#contract/ids.ts';
import { dueAfter } from '#core/files/end-leftover.ts';
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { FileCopy } from '#core/ports/files.ts';
import type { Ports } from '#core/ports/ports.ts';

/**
 * The copies are announced first: the sweep removes those of a session that is never created, or that is deleted while they
 * are written. Where the session lives, what a dead process left goes with it.
 */
export async function writeCopies(
  { files, leftovers, stamp }: Pick<Ports, 'files' | 'leftovers' | 'stamp'>,
  { workspace, session }: { readonly workspace: WorkspaceId; readonly session: SessionId },
  copies: readonly FileCopy[],
): Promise<RequestRefusal | null> {
  if (copies.length === 0) return null;
  await leftovers.announce({ type: 'copies', workspace, session }, dueAfter(stamp.now()));
  const gone = await files.copy(workspace, copies);
  return gone === null ? null : refuse('invalid_request_error', 'file_id: the file was deleted meanwhile');
}

export async function removeCopies(
  { files, stamp }: Pick<Ports, 'files' | 'stamp'>,
  workspace: WorkspaceId,
  ids: readonly FileId[],
): Promise<void> {
  for (const id of ids) await files.remove(workspace, id, stamp.now());
}
