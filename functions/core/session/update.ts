/**
 * A client's changes to a session: one append, and the row with it. The row is read after the head, so it holds every
 * change before that head, and the append loses against any later one.
 */
import type { SessionUpdate } from '#contract/sessions.ts';
import type { WorkspaceId } from '#contract/ids.ts';
import { replaceTools } from '#core/agents/override.ts';
import { refusedServer } from '#core/environments/reach.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { LogKey, SessionDetails } from '#core/ports/session-log.ts';
import type { SessionRecord } from '#core/ports/records.ts';
import { METADATA_TOO_LARGE, patchMetadata } from '#core/requests/patch-metadata.ts';
import { isRefusal, type RequestRefusal } from '#core/ports/errors.ts';
import { prepare } from '#core/session/change.ts';
import { refusedRequest, type SessionChanges } from '#core/session/commands.ts';

/** Null when the workspace has no such session. */
export async function updateSession(
  { log, sessions, environments, stamp }: Pick<Ports, 'log' | 'sessions' | 'environments' | 'stamp'>,
  { workspace, key, cause }: { readonly workspace: WorkspaceId; readonly key: LogKey; readonly cause: string },
  update: SessionUpdate,
): Promise<SessionRecord | RequestRefusal | null> {
  for (;;) {
    const head = await log.head(key);
    const record = head === null ? null : await sessions.find(workspace, key.session);
    if (head === null || record === null) return null;
    const changes = changesOf(record.details, update);
    if (isRefusal(changes)) return changes;
    const unreachable = await refusedServers(environments, record, changes);
    if (unreachable !== null) return unreachable;
    const prepared = prepare(key, head, { do: 'update', changes }, { stamp });
    if (prepared.status === 'nothing') return record;
    if (prepared.status === 'refused') return refusedRequest(prepared);
    const details = { ...record.details, ...changes };
    const appended = await log.append({ ...prepared.append, details, cause });
    if (appended.status === 'appended') return { ...record, details, updatedAt: prepared.append.at };
  }
}

/** The fields that differ: a request that changes nothing appends nothing. */
function changesOf(details: SessionDetails, update: SessionUpdate): SessionChanges | RequestRefusal {
  const title = update.title;
  const metadata = patchMetadata(details.metadata, update.metadata);
  if (metadata === null) return METADATA_TOO_LARGE;
  const agent = update.agent === undefined ? details.agent : replaceTools(details.agent, update.agent);
  if (isRefusal(agent)) return agent;
  return {
    ...(title === undefined || title === details.title ? {} : { title }),
    ...(isSame(metadata, details.metadata) ? {} : { metadata }),
    ...(isSame(agent, details.agent) ? {} : { agent }),
  };
}

/** Other servers are judged by the environment as it is now, as those of a new session are. */
async function refusedServers(
  environments: Ports['environments'],
  { workspace, details }: SessionRecord,
  { agent }: SessionChanges,
): Promise<RequestRefusal | null> {
  if (agent === undefined || isSame(agent.mcp_servers, details.agent.mcp_servers)) return null;
  const environment = await environments.find(workspace, details.environment_id);
  return refusedServer(agent, environment?.config.networking ?? null);
}

/** Both were made by the same code, key by key in one order; metadata alone comes in its clients' order. */
function isSame(one: object, other: object): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
