/** The session log as listings read it: page by page, from either end. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Position } from '#contract/ids.ts';
import type { Order } from '#contract/pages.ts';
import type { LogKey, LogReader, PastAppend } from '#core/ports/session-log.ts';
import type { ContentStore } from '#aws/session/content.s3.ts';
import { entriesOf, logTableOf, partition, rangeOf } from '#aws/session/log-writes.dynamodb.ts';

/** Items that one query reads: a page of a list seldom needs more, and a longer walk asks again. */
const QUERY_ITEMS = 200;

interface LogReaderOptions {
  readonly dynamodb: DynamoDBClient;
  readonly logTable: string;
  readonly content: Pick<ContentStore, 'get'>;
}

export function createLogReader({ dynamodb, logTable, content }: LogReaderOptions): LogReader {
  const table = logTableOf(dynamodb, logTable);
  return {
    async *appends(key: LogKey, order: Order, from: Position): AsyncGenerator<PastAppend> {
      const where = `pk = :pk AND sk ${order === 'asc' ? '>=' : '<='} :from`;
      const rows = table.rows({ where, values: { pk: partition(key), from }, order, limit: QUERY_ITEMS });
      for await (const row of rows) {
        yield { first: rangeOf(row).first, entries: await entriesOf(row, (name) => content.get(name)) };
      }
    },
  };
}
