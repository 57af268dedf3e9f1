/** The sparse index of active sessions and child threads: one is in it exactly while its row says running or rescheduling. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { SessionId, ThreadId, type Instant } from '#contract/ids.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import { parseRow } from '#aws/row.ts';
import { createTable } from '#aws/table.ts';

const Running = z.object({ pk: SessionId, thread: ThreadId, run: z.int().min(1) });

export interface RunningSession extends LogKey {
  readonly run: number;
}

/**
 * Yields the threads that have been active since before `instant`, longest first, page by page. For the primary thread, its
 * session's row tells.
 */
export async function* runningSince(
  dynamodb: DynamoDBClient,
  name: string,
  instant: Instant,
): AsyncGenerator<RunningSession> {
  const where = 'runningPk = :running AND runningSk < :instant';
  const rows = createTable(dynamodb, name).rows({ index: 'running', where, values: { running: 'running', instant } });
  for await (const row of rows) {
    const { pk: session, thread, run } = parseRow(Running, row);
    yield { session, thread, run };
  }
}
