/**
 * Deletes a session's logs: those of its child threads, the older rows of the primary one, then all content under the session's
 * name, and at the very end the head.
 */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { primaryThread, type SessionId } from '#contract/ids.ts';
import type { LogRemover } from '#core/ports/session-log.ts';
import { textOf } from '#aws/row.ts';
import type { ContentRemover } from '#aws/session/content-remover.s3.ts';
import { logTableOf, partition } from '#aws/session/log-writes.dynamodb.ts';
import { OF_THREADS } from '#aws/session/session-rows.dynamodb.ts';
import { createTable, type Key, type Table } from '#aws/table.ts';

const PARALLEL_DELETES = 25;

interface LogRemoverOptions {
  readonly dynamodb: DynamoDBClient;
  readonly logTable: string;
  readonly recordsTable: string;
  readonly content: ContentRemover;
}

export function createLogRemover({ dynamodb, logTable, recordsTable, content }: LogRemoverOptions): LogRemover {
  const log = logTableOf(dynamodb, logTable);
  const records = createTable(dynamodb, recordsTable);

  /** Each with its rows, which name it until it is gone. */
  async function removeThreads(session: SessionId): Promise<void> {
    const where = 'pk = :pk AND begins_with(sk, :sk)';
    const columns = ['pk', 'sk', 'thread'];
    for await (const row of records.rows({ where, values: { pk: session, sk: OF_THREADS }, columns })) {
      const { thread } = row;
      // The row of the thread's details, which comes after its other one, names no log.
      if (typeof thread === 'string') await removeAll(log, await keysIn(log, `${session}/${thread}`));
      await records.remove({ pk: session, sk: textOf(row, 'sk') });
    }
  }

  return {
    async remove(session) {
      await removeThreads(session);
      const keys = await keysIn(log, partition({ session, thread: primaryThread(session) }));
      await removeAll(log, keys.slice(0, -1));
      // By the session's name and not by the rows: a lost append, or a crash before it, leaves an object no row names.
      await content.removeAll(`${session}/`);
      // The head closes the session to appends, and a repeat begins at it: it must outlive everything else.
      await removeAll(log, keys.slice(-1));
    },
  };
}

async function removeAll(table: Table, keys: readonly Key[]): Promise<void> {
  for (let start = 0; start < keys.length; start += PARALLEL_DELETES) {
    await Promise.all(keys.slice(start, start + PARALLEL_DELETES).map((key) => table.remove(key)));
  }
}

async function keysIn(table: Table, pk: string): Promise<readonly Key[]> {
  const keys: Key[] = [];
  for await (const row of table.rows({ where: 'pk = :pk', values: { pk }, columns: ['pk', 'sk'] })) {
    keys.push({ pk, sk: Number(row['sk']) });
  }
  return keys;
}
