/** Deletes a session's log: its older items, then all content under its name, and at the very end its head. */
import { DeleteItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Fault } from '#core/ports/errors.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import type { LogRemover } from '#core/ports/records.ts';
import type { ContentRemover } from '#aws/session/content-remover.s3.ts';
import { partition, type Item } from '#aws/session/log-item.ts';
import { logPages } from '#aws/session/log-query.dynamodb.ts';

const PARALLEL_DELETES = 25;

export interface LogRemoverOptions {
  readonly dynamodb: DynamoDBClient;
  readonly logTable: string;
  readonly content: ContentRemover;
}

export function createLogRemover({ dynamodb, logTable, content }: LogRemoverOptions): LogRemover {
  return {
    async remove(key) {
      const items = await itemsOf(key);
      const older = items.slice(0, -1);
      for (let start = 0; start < older.length; start += PARALLEL_DELETES) {
        await Promise.all(older.slice(start, start + PARALLEL_DELETES).map(removeItem));
      }
      // By the session's name and not by the items: a lost append, or a crash before it, leaves an object no item names.
      await content.removeAll(`${key.session}/`);
      // The head closes the log to appends, and a repeat begins at it: it must outlive everything else.
      await Promise.all(items.slice(-1).map(removeItem));
    },
  };

  async function itemsOf(key: LogKey): Promise<readonly Item[]> {
    const pages = logPages(dynamodb, {
      TableName: logTable,
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': { S: partition(key) } },
      ProjectionExpression: 'pk, sk',
    });
    const items: Item[] = [];
    for await (const page of pages) items.push(...page);
    return items;
  }

  async function removeItem({ pk, sk }: Item): Promise<void> {
    if (pk === undefined || sk === undefined) throw new Fault('stored_data_invalid', 'a log item lacks its key');
    await dynamodb.send(new DeleteItemCommand({ TableName: logTable, Key: { pk, sk } })).catch(unavailable);
  }
}

function unavailable(cause: unknown): never {
  throw new Fault('log_unavailable', 'the session log was not removed completely', { cause });
}
