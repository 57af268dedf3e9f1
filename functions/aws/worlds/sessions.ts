/** What several worlds know of sessions: where they are kept, and what it takes to send one an event. */
import { randomUUID } from 'node:crypto';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SFNClient } from '@aws-sdk/client-sfn';
import type { Sending } from '#core/session/send.ts';
import { createContentStore } from '#aws/session/content.s3.ts';
import { createRuns } from '#aws/session/runs.step-functions.ts';
import { createSessionLog, type SessionLogOptions } from '#aws/session/session-log.dynamodb.ts';
import { setting, type Environment } from '#aws/settings.ts';
import { createStamp } from '#aws/stamp.ts';

export function sessionTables(environment: Environment, dynamodb: DynamoDBClient): SessionLogOptions {
  return {
    dynamodb,
    logTable: setting(environment, 'LOG_TABLE'),
    recordsTable: setting(environment, 'RECORDS_TABLE'),
    content: createContentStore(environment, setting(environment, 'CONTENT_BUCKET')),
    newName: randomUUID,
  };
}

export function sendingWorld(environment: Environment, tables: SessionLogOptions): Sending {
  return {
    log: createSessionLog(tables),
    runs: createRuns(new SFNClient(), setting(environment, 'RUN_STATE_MACHINE_ARN')),
    stamp: createStamp(),
  };
}
