/** The session that a request names, if it is the caller's. */
import { primaryThread, type SessionId, type WorkspaceId } from '#contract/ids.ts';
import type { Head } from '#core/ports/session-log.ts';
import type { ApiWorld } from './api-world.ts';

export function keyOf(session: SessionId) {
  return { session, thread: primaryThread(session) };
}

/** The log's head, if the session is the caller's: its state names the workspace, so no row has to be read. */
export async function ownHead(
  world: Pick<ApiWorld, 'log'>,
  workspace: WorkspaceId,
  session: SessionId,
): Promise<Head | null> {
  const head = await world.log.head(keyOf(session));
  return head?.state.workspace === workspace ? head : null;
}
