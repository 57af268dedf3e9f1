/** What several worlds know of sessions: where they are kept. */
import { randomUUID } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { SessionLog } from '#core/ports/session-log.ts';
import { createContentStore } from '#aws/session/content.s3.ts';
import { createSessionLog, type SessionLogOptions } from '#aws/session/session-log.dynamodb.ts';
import { setting, type Environment } from '#aws/settings.ts';

export function sessionTables(environment: Environment, dynamodb: DynamoDBClient): SessionLogOptions {
  return {
    dynamodb,
    logTable: setting(environment, 'LOG_TABLE'),
    recordsTable: setting(environment, 'RECORDS_TABLE'),
    content: createContentStore(environment, setting(environment, 'CONTENT_BUCKET')),
    newName: randomUUID,
  };
}

export function logOf(environment: Environment): SessionLog {
  return createSessionLog(sessionTables(environment, new DynamoDBClient()));
}
