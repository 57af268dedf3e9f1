/** The session log as those who list it walk it: page by page, from either end. */
import { QueryCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Order } from '#contract/pages.ts';
import { Fault } from '#core/errors.ts';
import type { LogKey } from '#core/ports.ts';
import type { LogReader, PastAppend } from '#core/records.ts';
import type { ContentStore } from '#aws/content.s3.ts';
import { entriesOf, partition, type Item } from '#aws/log-item.ts';

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
      let after: Item | undefined;
      do {
        const page = await dynamodb
          .send(
            new QueryCommand({
              TableName: logTable,
              KeyConditionExpression: `pk = :pk AND sk ${order === 'asc' ? '>=' : '<='} :from`,
              ExpressionAttributeValues: { ':pk': { S: partition(key) }, ':from': { N: String(from) } },
              ScanIndexForward: order === 'asc',
              ConsistentRead: true,
              Limit: QUERY_ITEMS,
              ...(after === undefined ? {} : { ExclusiveStartKey: after }),
            }),
          )
          .catch(unavailable);
        for (const item of page.Items ?? []) {
          yield { first: Number(item['sk']?.N), entries: await entriesOf(item, (name) => content.get(name)) };
        }
        after = page.LastEvaluatedKey;
      } while (after !== undefined);
    },
  };
}

function unavailable(cause: unknown): never {
  throw new Fault('log_unavailable', 'the session log did not answer', { cause });
}
