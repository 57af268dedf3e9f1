/** The sweep's world: of everything it looks at, it holds as much as it takes to finish what others began. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Instant } from '#contract/ids.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import type { RepairWorld } from '#core/session/repair.ts';
import { createJournal, type FunctionJournal } from '#aws/journal.powertools.ts';
import { runningSince } from '#aws/session/running-sessions.dynamodb.ts';
import { createSecretRemover } from '#aws/vault/secret-stores.ts';
import { setting, type Env } from '#aws/settings.ts';
import { settleWorld } from '#aws/worlds/connecting.ts';
import { sendingWorld } from '#aws/worlds/sending.ts';
import { sessionTables } from '#aws/worlds/sessions.ts';

export interface SweepWorld extends RepairWorld {
  runningSince(instant: Instant): AsyncGenerator<LogKey>;
  readonly journal: FunctionJournal;
}

export function sweepWorld(env: Env) {
  const dynamodb = new DynamoDBClient();
  const table = setting(env, 'RECORDS_TABLE');
  const sending = sendingWorld(env, sessionTables(env, dynamodb));
  const connecting = settleWorld(env, sending);
  return {
    ...sending,
    connecting,
    pending: { credentials: connecting.credentials, secrets: createSecretRemover(env) },
    runningSince: (instant) => runningSince(dynamodb, table, instant),
    journal: createJournal(),
  } satisfies SweepWorld & Record<'connecting' | 'pending', unknown>;
}
