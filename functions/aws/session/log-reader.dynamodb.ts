/** The session log as those who list it walk it: page by page, from either end. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Order } from '#contract/pages.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import type { LogReader, PastAppend } from '#core/ports/records.ts';
import type { ContentStore } from '#aws/session/content.s3.ts';
import { entriesOf, partition } from '#aws/session/log-item.ts';
import { logPages } from '#aws/session/log-query.dynamodb.ts';

/** Items that one query reads: a page of a list seldom needs more, and a longer walk asks again. */
const QUERY_ITEMS = 200;

export interface LogReaderOptions {
  readonly dynamodb: DynamoDBClient;
  readonly logTable: string;
  readonly content: Pick<ContentStore, 'get'>;
}

export function createLogReader({ dynamodb, logTable, content }: LogReaderOptions): LogReader {
  return {
    async *appends(key: LogKey, order: Order, from: number): AsyncGenerator<PastAppend> {
      const pages = logPages(dynamodb, {
        TableName: logTable,
        KeyConditionExpression: `pk = :pk AND sk ${order === 'asc' ? '>=' : '<='} :from`,
        ExpressionAttributeValues: { ':pk': { S: partition(key) }, ':from': { N: String(from) } },
        ScanIndexForward: order === 'asc',
        Limit: QUERY_ITEMS,
      });
      for await (const page of pages) {
        for (const item of page) {
          yield { first: Number(item['sk']?.N), entries: await entriesOf(item, (name) => content.get(name)) };
        }
      }
    },
  };
}
