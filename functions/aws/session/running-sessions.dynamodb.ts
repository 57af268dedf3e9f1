/** The sparse index of active sessions: a session is in it exactly while its row says running or rescheduling. */
import { QueryCommand, type AttributeValue, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SessionId, ThreadId, type Instant } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import type { LogKey } from '#core/ports/session-log.ts';

/** Yields the sessions that have been active since before `instant`, longest first, page by page. */
export async function* runningSince(dynamodb: DynamoDBClient, table: string, instant: Instant): AsyncGenerator<LogKey> {
  let after: Record<string, AttributeValue> | undefined;
  do {
    const page = await dynamodb
      .send(
        new QueryCommand({
          TableName: table,
          IndexName: 'running',
          KeyConditionExpression: 'runningPk = :running AND runningSk < :instant',
          ExpressionAttributeValues: { ':running': { S: 'running' }, ':instant': { S: instant } },
          ...(after === undefined ? {} : { ExclusiveStartKey: after }),
        }),
      )
      .catch((cause: unknown) => {
        throw new Fault('records_unavailable', 'the index of running sessions did not answer', { cause });
      });
    for (const item of page.Items ?? []) {
      yield { session: SessionId.parse(item['pk']?.S), thread: ThreadId.parse(item['thread']?.S) };
    }
    after = page.LastEvaluatedKey;
  } while (after !== undefined);
}
