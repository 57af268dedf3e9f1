import * as z from 'zod';
import { SessionId, ThreadId, type WorkspaceId } from '#contract/ids.ts';
import { pageOf } from '#contract/pages.ts';
import { ThreadEventsQuery, ThreadsQuery } from '#contract/queries.ts';
import { SessionThread } from '#contract/sessions.ts';
import { isRefusal, refuse } from '#core/ports/errors.ts';
import { isPrimary } from '#core/ports/session-log.ts';
import { change } from '#core/session/change.ts';
import { refusedRequest } from '#core/session/commands.ts';
import { viewPrimaryThread, viewThread } from '#core/session/view.ts';
import type { ApiWorld } from '../api-world.ts';
import { notFound, operation } from '../operation.ts';
import { listRequest, recordPage } from '../record-page.ts';
import { EventPage, eventPage } from './events.ts';

const SessionParams = z.object({ session_id: SessionId });
const Params = SessionParams.extend({ thread_id: ThreadId });

const list = operation({
  route: 'GET /v1/sessions/{session_id}/threads',
  summary: "List a session's threads, oldest first: the primary one begins with the session",
  params: SessionParams,
  query: ThreadsQuery,
  response: pageOf(SessionThread),
  async handle({ world, workspace, params: { session_id: session }, query }) {
    const request = listRequest('threads', { ...query, order: 'asc', include_archived: true }, workspace);
    if (isRefusal(request)) return request;
    const record = await world.sessions.find(workspace, session);
    if (record === null) return notFound('session_id');
    const now = world.stamp.now();
    const { statuses = null } = query;
    const primary = viewPrimaryThread(record, now);
    // With its session every child has ended, whatever its own row says.
    const isOver = record.status === 'terminated';
    if (isOver && statuses?.includes(record.status) === false) return { data: [], next_page: null };
    const isFirst = request.beyond === null && (statuses?.includes(primary.status) ?? true);
    const place = { createdAt: primary.created_at, id: primary.id };
    // The children come after the primary thread, whatever their instants.
    const beyond = request.beyond?.id === primary.id ? null : request.beyond;
    const children = await world.threads.list({ ...request, session, statuses: isOver ? null : statuses, beyond });
    const rows = [
      ...(isFirst ? [{ item: primary, place }] : []),
      ...children.rows.map(({ item, place }) => ({ item: viewThread(item, record, now), place })),
    ];
    const page = rows.slice(0, request.limit);
    const more = rows.length > page.length ? (page.at(-1)?.place ?? null) : children.more;
    const { data, next_page } = recordPage('threads', request, {
      found: { rows: page, more },
      view: (thread) => thread,
    });
    return { data, next_page };
  },
});

const retrieve = operation({
  route: 'GET /v1/sessions/{session_id}/threads/{thread_id}',
  summary: 'Retrieve a thread of a session',
  params: Params,
  response: SessionThread,
  handle: async ({ world, workspace, params }) => (await findThread(world, workspace, params)) ?? notFound('thread_id'),
});

const archive = operation({
  route: 'POST /v1/sessions/{session_id}/threads/{thread_id}/archive',
  summary: 'Archive a thread that is not running; the primary one is archived with its session only',
  params: Params,
  response: SessionThread,
  async handle({ world, workspace, params }) {
    const key = { session: params.session_id, thread: params.thread_id };
    const head = await world.log.head(key);
    if (head?.state.workspace !== workspace) return notFound('thread_id');
    if (isPrimary(key)) return PRIMARY;
    const changed = await change(world, key, head, { do: 'archive' });
    if (changed.status === 'refused') return refusedRequest(changed);
    return (await findThread(world, workspace, params)) ?? notFound('thread_id');
  },
});

const PRIMARY = refuse('invalid_request_error', 'thread_id: the primary thread ends with its session: archive that');

const listEvents = operation({
  route: 'GET /v1/sessions/{session_id}/threads/{thread_id}/events',
  summary: "List a thread's events, oldest first",
  params: Params,
  query: ThreadEventsQuery,
  response: EventPage,
  async handle({ world, workspace, params, query }) {
    const key = { session: params.session_id, thread: params.thread_id };
    return eventPage(world, { workspace, key, list: 'thread' }, { ...query, order: 'asc' });
  },
});

async function findThread(
  { sessions, threads, stamp }: ApiWorld,
  workspace: WorkspaceId,
  { session_id: session, thread_id: thread }: z.infer<typeof Params>,
): Promise<SessionThread | null> {
  const key = { session, thread };
  const [record, child] = await Promise.all([
    sessions.find(workspace, session),
    isPrimary(key) ? null : threads.find(workspace, key),
  ]);
  if (record === null) return null;
  if (isPrimary(key)) return viewPrimaryThread(record, stamp.now());
  return child && viewThread(child, record, stamp.now());
}

export const threadOperations = [list, retrieve, archive, listEvents];
