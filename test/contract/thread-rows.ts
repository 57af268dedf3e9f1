/** Calls of the operations on threads, as in `core-rows.ts`. A session has one thread, the primary one. */
import type { ThreadListParams } from '@anthropic-ai/sdk/resources/beta/sessions/threads/threads';
import type { EventListParams } from '@anthropic-ai/sdk/resources/beta/sessions/threads/events';
import { expect } from 'vitest';
import { HEADERS, type Everything } from './core-parameters.ts';
import { row, type Given, type Row } from './core-rows.ts';

const THREAD = { type: 'session_thread', parent_thread_id: null, agent: { name: 'Ada' }, status: 'idle' };

/** The client's operations on threads, and a session that has answered a message. */
async function talked({ service, client, session }: Given) {
  const session_id = await session();
  await service.converse(session_id, 'hi');
  const [thread] = (await client.sessions.threads.list(session_id)).data;
  return { threads: client.sessions.threads, session_id, thread: thread?.id ?? '' };
}

export const THREAD_ROWS: readonly Row[] = [
  row(
    'GET /v1/sessions/{session_id}/threads',
    async ({ client, session }) => client.sessions.threads.list(await session()),
    { data: [THREAD], next_page: null },
  ),
  row(
    'GET /v1/sessions/{session_id}/threads, everything',
    async (given) => {
      const { threads, session_id } = await talked(given);
      const everything: Everything<ThreadListParams, 'page'> = { statuses: ['idle'], limit: 1 };
      return threads.list(session_id, { ...everything, ...HEADERS });
    },
    { data: [THREAD], next_page: null },
  ),
  row(
    'GET /v1/sessions/{session_id}/threads/{thread_id}',
    async (given) => {
      const { threads, session_id, thread } = await talked(given);
      return threads.retrieve(thread, { session_id, ...HEADERS });
    },
    THREAD,
  ),
  row(
    'POST /v1/sessions/{session_id}/threads/{thread_id}/archive',
    async (given) => {
      const { threads, session_id, thread } = await talked(given);
      return threads.archive(thread, { session_id, ...HEADERS }).catch((error: unknown) => error);
    },
    { status: 400, message: expect.stringContaining('the primary thread ends with its session') },
  ),
  row(
    'GET /v1/sessions/{session_id}/threads/{thread_id}/events',
    async (given) => {
      const { threads, session_id, thread } = await talked(given);
      return threads.events.list(thread, { session_id });
    },
    { data: expect.arrayContaining([expect.objectContaining({ type: 'session.status_idle' })]), next_page: null },
  ),
  row(
    'GET /v1/sessions/{session_id}/threads/{thread_id}/events, everything',
    async (given) => {
      const { threads, session_id, thread } = await talked(given);
      const everything: Everything<EventListParams, 'page'> = { session_id, limit: 2 };
      const first = await threads.events.list(thread, { ...everything, ...HEADERS });
      return [first, await threads.events.list(thread, { ...everything, page: first.next_page, ...HEADERS })];
    },
    [
      { data: [{ type: 'session.status_running' }, { type: 'session.thread_status_running' }] },
      { data: [{ type: 'user.message' }, { type: 'span.model_request_start' }], next_page: expect.any(String) },
    ],
  ),
];
