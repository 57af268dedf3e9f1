/** What a session's sandboxes find, without the rest of the session. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SessionContents } from '#contract/resources.ts';
import type { ContentsReader } from '#core/ports/records.ts';
import { bodyOf } from '#aws/row.ts';
import { contentsKey } from '#aws/session/session-rows.dynamodb.ts';
import { createTable } from '#aws/table.ts';

export function createContentsReader(dynamodb: DynamoDBClient, name: string): ContentsReader {
  const table = createTable(dynamodb, name);
  return {
    async find(session) {
      const row = await table.get(contentsKey(session));
      return row === null ? null : bodyOf(row, 'body', SessionContents);
    },
  };
}
