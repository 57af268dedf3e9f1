/**
 * Rows of child threads: two for each, because its status changes many times and its details, which may be large, never.
 * The session log writes both, with the appends that they follow from.
 */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { Instant, SessionId, ThreadId } from '#contract/ids.ts';
import { SessionStatus, ThreadAgent } from '#contract/sessions.ts';
import { Usage } from '#contract/usage.ts';
import type { ThreadRecord, ThreadRecords } from '#core/ports/records.ts';
import { isStatusOf, listRows } from '#aws/list-rows.ts';
import { bodyOf, isOf, json, optional, parseRow } from '#aws/row.ts';
import type { ContentStore } from '#aws/session/content.s3.ts';
import { OF_THREADS, threadDetailsKey, threadKey } from '#aws/session/session-rows.dynamodb.ts';
import { createTable, type Row } from '#aws/table.ts';

const Stored = z.object({
  pk: SessionId,
  thread: ThreadId,
  status: SessionStatus,
  run: z.int().min(0),
  usage: optional(json(Usage)),
  runningSk: optional(Instant),
  updatedAt: Instant,
  archivedAt: optional(Instant),
});

const Details = z.object({ id: ThreadId, agent: ThreadAgent, parent_thread_id: ThreadId, created_at: Instant });

interface ThreadRecordsOptions {
  readonly dynamodb: DynamoDBClient;
  readonly recordsTable: string;
  readonly content: Pick<ContentStore, 'get'>;
}

export function createThreadRecords({ dynamodb, recordsTable, content }: ThreadRecordsOptions): ThreadRecords {
  const table = createTable(dynamodb, recordsTable);

  async function recordOf(row: Row, details: Row): Promise<ThreadRecord> {
    const { pk: session, thread, runningSk: runningSince, ...columns } = parseRow(Stored, row);
    const { bodyKey } = details;
    const body = typeof bodyKey === 'string' ? await content.get(bodyKey) : details['body'];
    return {
      key: { session, thread },
      details: bodyOf({ ...details, body }, 'body', Details),
      runningSince,
      ...columns,
    };
  }

  return {
    async find(workspace, key) {
      const { pk, sk: from } = threadKey(key);
      // The ids of other threads may begin with this one, and then their keys come after those of this thread.
      const { sk: to } = threadDetailsKey({ pk, sk: from });
      const { rows } = await table.page({ where: 'pk = :pk AND sk BETWEEN :from AND :to', values: { pk, from, to } });
      const [row = null, details] = rows;
      return isOf(row, workspace) && details !== undefined ? recordOf(row, details) : null;
    },

    async list(request) {
      const { workspace, session, statuses } = request;
      const keyOf = (id: string) => ({ pk: session, sk: `${OF_THREADS}${id}` });
      const kind = { table, kind: 'thread', owner: session, index: 'scope', keyOf } as const;
      const { conditions, values } = isStatusOf(statuses);
      const filter = { conditions: ['workspace = :workspace', ...conditions], values: { workspace, ...values } };
      const { rows, more } = await listRows(kind, { request, filter, read: (row) => row });
      const others = await table.some(rows.map(({ place }) => threadDetailsKey(keyOf(place.id))));
      const details = new Map(others.map((row) => [row['sk'], row]));
      const found = rows.map(async ({ item, place }) => {
        const own = details.get(threadDetailsKey(keyOf(place.id)).sk);
        // The index names a thread for a moment after it was deleted.
        return own === undefined ? [] : [{ item: await recordOf(item, own), place }];
      });
      return { rows: (await Promise.all(found)).flat(), more };
    },
  };
}
