import * as z from 'zod';
import { primaryThread, SessionId, ThreadId, type WorkspaceId } from '#contract/ids.ts';
import { pageOf } from '#contract/pages.ts';
import { ThreadEventsQuery, ThreadsQuery } from '#contract/queries.ts';
import { SessionThread } from '#contract/sessions.ts';
import { refuse } from '#core/ports/errors.ts';
import { viewPrimaryThread } from '#core/session/view.ts';
import type { ApiWorld } from '../api-world.ts';
import { notFound, operation } from '../operation.ts';
import { EventPage, eventPage } from './events.ts';

const SessionParams = z.object({ session_id: SessionId });
const Params = SessionParams.extend({ thread_id: ThreadId });

const list = operation({
  route: 'GET /v1/sessions/{session_id}/threads',
  summary: "List a session's threads: the primary one",
  params: SessionParams,
  query: ThreadsQuery,
  response: pageOf(SessionThread),
  async handle({ world, workspace, params, query }) {
    const record = await world.sessions.find(workspace, params.session_id);
    if (record === null) return notFound('session_id');
    const thread = viewPrimaryThread(record, world.stamp.now());
    const isAsked = query.page === undefined && (query.statuses?.includes(thread.status) ?? true);
    return { data: isAsked ? [thread] : [], next_page: null };
  },
});

const retrieve = operation({
  route: 'GET /v1/sessions/{session_id}/threads/{thread_id}',
  summary: "Retrieve a session's primary thread",
  params: Params,
  response: SessionThread,
  handle: async ({ world, workspace, params }) => (await findThread(world, workspace, params)) ?? notFound('thread_id'),
});

const archive = operation({
  route: 'POST /v1/sessions/{session_id}/threads/{thread_id}/archive',
  summary: 'Archive a thread; the primary one is archived with its session only',
  params: Params,
  response: SessionThread,
  async handle({ world, workspace, params }) {
    const thread = await findThread(world, workspace, params);
    return thread === null ? notFound('thread_id') : PRIMARY;
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
    const { session_id: session, thread_id: list } = params;
    if (list !== primaryThread(session)) return notFound('thread_id');
    return eventPage(world, { workspace, session, list }, { ...query, order: 'asc' });
  },
});

async function findThread(
  world: ApiWorld,
  workspace: WorkspaceId,
  { session_id, thread_id }: z.infer<typeof Params>,
): Promise<SessionThread | null> {
  const record = await world.sessions.find(workspace, session_id);
  const thread = record === null ? null : viewPrimaryThread(record, world.stamp.now());
  return thread?.id === thread_id ? thread : null;
}

export const threadOperations = [list, retrieve, archive, listEvents];
