/** A session as its clients see it, now. */
import { primaryThread, type Instant } from '#contract/ids.ts';
import type {
  FileResource,
  Mounted,
  MountedFile,
  MountedRepository,
  RepositoryResource,
  SessionResource,
} from '#contract/resources.ts';
import type { Session, SessionThread } from '#contract/sessions.ts';
import type { SessionRecord, ThreadRecord } from '#core/ports/records.ts';

export function viewSession(record: SessionRecord, now: Instant): Session {
  const { details, usage } = record;
  const running = record.runningSince === null ? 0 : seconds(record.runningSince, now);
  // A terminated session ages no more: its last change was its end.
  const end = record.status === 'terminated' ? (record.archivedAt ?? record.updatedAt) : now;
  return {
    id: details.id,
    type: 'session',
    agent: details.agent,
    status: record.status,
    environment_id: details.environment_id,
    title: details.title,
    metadata: details.metadata,
    resources: (record.contents?.resources ?? []).map(viewResource),
    vault_ids: details.vault_ids,
    budget: null,
    usage,
    stats: { active_seconds: usage.active_seconds + running, duration_seconds: seconds(details.created_at, end) },
    outcome_evaluations: [...record.outcomes],
    deployment_id: null,
    created_at: details.created_at,
    updated_at: record.updatedAt,
    archived_at: record.archivedAt,
  };
}

export function viewResource(mounted: Mounted): SessionResource {
  switch (mounted.type) {
    case 'file':
      return viewFile(mounted);
    case 'github_repository':
      return viewRepository(mounted);
    case 'memory_store':
      return mounted;
    default:
      return mounted satisfies never;
  }
}

export function viewRepository({ sealedToken: _sealedToken, ...resource }: MountedRepository): RepositoryResource {
  return resource;
}

/** Where a file's bytes are is nothing to its client. */
export function viewFile({ source: _source, ...resource }: MountedFile): FileResource {
  return resource;
}

/** The primary thread is as old as its session, and as busy while it has begun no other thread. */
export function viewPrimaryThread(record: SessionRecord, now: Instant): SessionThread {
  const { primary, ...session } = record;
  const isOver = record.status === 'terminated';
  const own = primary === null ? record : { ...session, ...primary, ...(isOver && { status: record.status }) };
  const viewed = viewSession({ ...own, primary: null }, now);
  const { id, agent, status, usage, stats, created_at, updated_at, archived_at } = viewed;
  const { multiagent: _multiagent, ...definition } = agent;
  const place = { id: primaryThread(id), session_id: id, parent_thread_id: null, workflow_run_id: null };
  return {
    type: 'session_thread',
    ...place,
    agent: definition,
    status,
    usage,
    stats,
    created_at,
    updated_at,
    archived_at,
  };
}

/** A child thread ends with its session at the latest. Its own row and log tell nothing of that. */
export function viewThread(
  { key, details, run, usage, ...record }: ThreadRecord,
  session: Pick<SessionRecord, 'status' | 'updatedAt' | 'archivedAt'>,
  now: Instant,
): SessionThread {
  const { runningSince } = record;
  const { id, agent, parent_thread_id, created_at } = details;
  const sessionEnd = session.status === 'terminated' ? [session.archivedAt ?? session.updatedAt] : [];
  const [end = null] = [record.archivedAt ?? [], sessionEnd].flat().toSorted();
  const active = (usage?.active_seconds ?? 0) + (runningSince === null ? 0 : seconds(runningSince, now));
  const stats = { active_seconds: active, duration_seconds: seconds(created_at, end ?? now) };
  const status = sessionEnd.length > 0 ? session.status : record.status;
  return {
    ...{ id, type: 'session_thread', session_id: key.session, parent_thread_id, workflow_run_id: null, agent, status },
    usage,
    stats: run === 0 ? null : stats,
    created_at,
    updated_at: end ?? record.updatedAt,
    archived_at: end,
  };
}

function seconds(from: Instant, to: Instant): number {
  return Math.max(0, Date.parse(to) - Date.parse(from)) / 1000;
}
