/** The files of a session that is deleted: the copies that it was given, and what its sandboxes wrote. */
import type { SessionId, WorkspaceId } from '#contract/ids.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { Place } from '#core/ports/records.ts';

const AT_ONCE = 25;

/** A repeat removes what an interrupted one left. */
export async function removeSessionFiles(
  { files, stamp }: Pick<Ports, 'files' | 'stamp'>,
  workspace: WorkspaceId,
  session: SessionId,
): Promise<void> {
  const all = { workspace, order: 'asc', from: null, to: null, includeArchived: true, direction: 'next' } as const;
  let beyond: Place | null = null;
  do {
    const { rows, more } = await files.list({ ...all, beyond, limit: AT_ONCE }, session);
    await Promise.all(rows.map(({ item }) => files.remove(workspace, item.file.id, stamp.now())));
    beyond = more;
  } while (beyond !== null);
}
