/** Calls of the operations on threads, as in `core-rows.ts`. The logs of child threads are written beside the service. */
import { randomUUID } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { ThreadListParams } from '@anthropic-ai/sdk/resources/beta/sessions/threads/threads';
import type { EventListParams } from '@anthropic-ai/sdk/resources/beta/sessions/threads/events';
import { expect } from 'vitest';
import { createSessionLog } from '#aws/session/session-log.dynamodb.ts';
import type { SessionState } from '#contract/entries.ts';
import { primaryThread, SessionId } from '#contract/ids.ts';
import { newThread } from '#test/ports/new-thread.ts';
import { appendOf, saying } from '#test/ports/session-log.suite.ts';
import { clientOf, tableIn } from '#test/runtime/clients.ts';
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

/** The same for a session with a child thread in this state, which has been told something. */
async function withChild({ service, client, session }: Given, state: Partial<SessionState> = {}) {
  const { runtime } = service;
  const session_id = SessionId.parse(await session());
  const log = createSessionLog({
    dynamodb: new DynamoDBClient(clientOf(runtime, 'api')),
    logTable: tableIn(runtime, 'LOG_TABLE'),
    recordsTable: tableIn(runtime, 'RECORDS_TABLE'),
    content: { put: () => Promise.reject(new Error('too large')), get: () => Promise.reject(new Error('too large')) },
    newName: randomUUID,
  });
  const key = { session: session_id, thread: primaryThread(session_id) };
  const head = (await log.head(key)) ?? expect.fail('no log');
  const child = newThread(key, { state, entries: [saying('a task')], workspace: head.state.workspace });
  await log.append(appendOf(key, head, [{ record: { kind: 'mcp.outdated', at: child.at } }]), child);
  return { threads: client.sessions.threads, session_id, primary: key.thread, thread: child.key.thread };
}

const CHILD = { ...THREAD, parent_thread_id: expect.stringMatching(/^sthr_/) };
const ENDED = { type: 'session_thread', status: 'terminated', archived_at: expect.any(String) };
const RUNNING = { status: 'running', run: 1, runningSince: '2100-11-21T10:00:00.000Z' } as const;

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
  row(
    'GET /v1/sessions/{session_id}/threads, of a session with a child thread',
    async (given) => {
      const { threads, session_id } = await withChild(given);
      const first = await threads.list(session_id, { limit: 1 });
      return [
        first,
        await threads.list(session_id, { limit: 1, page: first.next_page }),
        await threads.list(session_id),
      ];
    },
    [
      { data: [THREAD], next_page: expect.any(String) },
      { data: [CHILD], next_page: null },
      { data: [THREAD, CHILD], next_page: null },
    ],
  ),
  row(
    'GET /v1/sessions/{session_id}/threads/{thread_id}, of a child thread',
    async (given) => {
      const [idle, woken] = [await withChild(given), await withChild(given, RUNNING)];
      const { threads, session_id, thread } = idle;
      return [
        await threads.retrieve(thread, { session_id }),
        await threads.retrieve(woken.thread, { session_id: woken.session_id }),
      ];
    },
    [
      { ...CHILD, usage: null, stats: null },
      { ...CHILD, status: 'running', usage: null, stats: { active_seconds: expect.any(Number) } },
    ],
  ),
  row(
    'GET /v1/sessions/{session_id}/threads/{thread_id}/events, of a child thread',
    async (given) => {
      const { threads, session_id, thread } = await withChild(given);
      return threads.events.list(thread, { session_id });
    },
    { data: [{ type: 'user.message', content: [{ text: 'a task' }] }], next_page: null },
  ),
  row(
    'POST /v1/sessions/{session_id}/threads/{thread_id}/archive, of a child thread, with its stream',
    async (given) => {
      const { threads, session_id, thread } = await withChild(given);
      const stream = await threads.events.stream(thread, { session_id });
      const archived = await threads.archive(thread, { session_id });
      const seen: string[] = [];
      for await (const event of stream) seen.push(event.type);
      return [archived, seen.at(-1), await threads.retrieve(thread, { session_id })];
    },
    [
      { ...CHILD, status: 'terminated', archived_at: expect.any(String) },
      'session.thread_status_terminated',
      { status: 'terminated', archived_at: expect.any(String) },
    ],
  ),
  row(
    'GET /v1/sessions/{session_id}/threads, of an archived session with a child thread that had finished',
    async (given) => {
      const { threads, session_id, thread } = await withChild(given);
      const { archived_at } = await given.client.sessions.archive(session_id);
      const found = await threads.retrieve(thread, { session_id });
      const [all, ended, idle] = [
        await threads.list(session_id),
        await threads.list(session_id, { statuses: ['terminated', 'running'] }),
        await threads.list(session_id, { statuses: ['idle'] }),
      ];
      const again = await threads.archive(thread, { session_id });
      return [all, ended, idle, [found, again].map((one) => one.archived_at === archived_at && one.status)];
    },
    [{ data: [ENDED, ENDED] }, { data: [ENDED, ENDED] }, { data: [], next_page: null }, ['terminated', 'terminated']],
  ),
  row(
    'POST /v1/sessions/{session_id}/threads/{thread_id}/archive, of a running child thread',
    async (given) => {
      const { threads, session_id, thread } = await withChild(given, RUNNING);
      return threads.archive(thread, { session_id }).catch((error: unknown) => error);
    },
    { status: 400, message: expect.stringContaining('is running') },
  ),
];
