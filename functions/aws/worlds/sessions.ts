/** What several worlds know of sessions: where they are kept. */
import { randomUUID } from 'node:crypto';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { LogWatch, Runs, SessionLog } from '#core/ports/session-log.ts';
import { tellsPrimary, type Store } from '#core/session/change.ts';
import { startsBeside } from '#core/session/send.ts';
import { createDynamoDb } from '#aws/clients.ts';
import { createContentStore } from '#aws/session/content.s3.ts';
import { createSessionLog, type SessionLogOptions } from '#aws/session/session-log.dynamodb.ts';
import { setting, type Env } from '#aws/settings.ts';
import { createStamp } from '#aws/stamp.ts';

export function sessionTables(env: Env, dynamodb: DynamoDBClient): SessionLogOptions {
  return {
    dynamodb,
    logTable: setting(env, 'LOG_TABLE'),
    recordsTable: setting(env, 'RECORDS_TABLE'),
    content: createContentStore(env, setting(env, 'CONTENT_BUCKET')),
    newName: randomUUID,
  };
}

/** Without `runs`, the run of a primary thread that a child's append wakes is started by `sweep`. */
export function logIn(tables: SessionLogOptions, runs?: Runs): SessionLog & LogWatch {
  const log = createSessionLog(tables);
  const stamp = createStamp();
  const store: Store = (append, ...beside) => log.append(append, ...beside);
  return tellsPrimary(log, stamp, runs === undefined ? store : startsBeside({ log, runs, stamp }));
}

export function logOf(env: Env): SessionLog & LogWatch {
  return logIn(sessionTables(env, createDynamoDb(env)));
}
