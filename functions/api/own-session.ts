/** The session that a request names, if it is the caller's, and what the request's line says of its run. */
import { primaryThread, type SessionId, type WorkspaceId } from '#contract/ids.ts';
import type { Head } from '#core/ports/session-log.ts';
import type { RunStart } from '#core/session/send.ts';
import type { ApiWorld } from './api-world.ts';
import type { Note } from './operation.ts';

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

export function noteStart(note: Note, start: RunStart): void {
  note({ run_start: start.run });
  if (start.run === 'failed') note({ error_class: start.errorClass });
}
