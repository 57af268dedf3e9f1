/** The files of a session that is deleted: the copies that it was given, and what its sandboxes wrote. */
import type { SessionState } from '#contract/entries.ts';
import type { SessionId } from '#contract/ids.ts';
import { dueAfter } from '#core/files/end-leftover.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { Place } from '#core/ports/records.ts';

const AT_ONCE = 25;

/** A repeat removes what an interrupted one left. */
export async function removeSessionFiles(
  { files, leftovers, stamp }: Pick<Ports, 'files' | 'leftovers' | 'stamp'>,
  session: SessionId,
  { workspace, contents }: Pick<SessionState, 'workspace' | 'contents'>,
): Promise<void> {
  // A copy that the list does not show yet, or that is being written, is left to the sweep.
  if (contents !== undefined) await leftovers.announce({ type: 'copies', workspace, session }, dueAfter(stamp.now()));
  const all = { workspace, order: 'asc', from: null, to: null, includeArchived: true, direction: 'next' } as const;
  let beyond: Place | null = null;
  do {
    const { rows, more } = await files.list({ ...all, beyond, limit: AT_ONCE }, session);
    await Promise.all(rows.map(({ item }) => files.remove(workspace, item.file.id, stamp.now())));
    beyond = more;
  } while (beyond !== null);
}
