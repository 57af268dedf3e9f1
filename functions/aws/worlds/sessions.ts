/** What several worlds know of sessions: where they are kept. */
import { randomUUID } from 'node:crypto';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { LogWatch, SessionLog } from '#core/ports/session-log.ts';
import { createDynamoDb } from '#aws/clients.ts';
import { createContentStore } from '#aws/session/content.s3.ts';
import { createSessionLog, type SessionLogOptions } from '#aws/session/session-log.dynamodb.ts';
import { setting, type Env } from '#aws/settings.ts';

export function sessionTables(env: Env, dynamodb: DynamoDBClient): SessionLogOptions {
  return {
    dynamodb,
    logTable: setting(env, 'LOG_TABLE'),
    recordsTable: setting(env, 'RECORDS_TABLE'),
    content: createContentStore(env, setting(env, 'CONTENT_BUCKET')),
    newName: randomUUID,
  };
}

export function logOf(env: Env): SessionLog & LogWatch {
  return createSessionLog(sessionTables(env, createDynamoDb(env)));
}
