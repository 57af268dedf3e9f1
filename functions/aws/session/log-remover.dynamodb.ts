/** Deletes a session's log: its older rows, then all content under its name, and at the very end its head. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { LogKey, LogRemover } from '#core/ports/session-log.ts';
import type { ContentRemover } from '#aws/session/content-remover.s3.ts';
import { logTableOf, partition } from '#aws/session/log-writes.dynamodb.ts';
import type { Key } from '#aws/table.ts';

const PARALLEL_DELETES = 25;

interface LogRemoverOptions {
  readonly dynamodb: DynamoDBClient;
  readonly logTable: string;
  readonly content: ContentRemover;
}

export function createLogRemover({ dynamodb, logTable, content }: LogRemoverOptions): LogRemover {
  const table = logTableOf(dynamodb, logTable);
  return {
    async remove(key) {
      const keys = await keysOf(key);
      const older = keys.slice(0, -1);
      for (let start = 0; start < older.length; start += PARALLEL_DELETES) {
        await Promise.all(older.slice(start, start + PARALLEL_DELETES).map((one) => table.remove(one)));
      }
      // By the session's name and not by the rows: a lost append, or a crash before it, leaves an object no row names.
      await content.removeAll(`${key.session}/`);
      // The head closes the log to appends, and a repeat begins at it: it must outlive everything else.
      await Promise.all(keys.slice(-1).map((last) => table.remove(last)));
    },
  };

  async function keysOf(key: LogKey): Promise<readonly Key[]> {
    const keys: Key[] = [];
    const pk = partition(key);
    const rows = table.rows({ where: 'pk = :pk', values: { pk }, columns: ['pk', 'sk'] });
    for await (const row of rows) keys.push({ pk, sk: Number(row['sk']) });
    return keys;
  }
}
