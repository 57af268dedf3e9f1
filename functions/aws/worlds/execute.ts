/** The world of the function that sends tool calls to sandboxes. */
import { S3Client } from '@aws-sdk/client-s3';
import type { ExecuteWorld } from '#core/hands/execute.ts';
import { createDynamoDb } from '#aws/clients.ts';
import { createArchiveReader } from '#aws/hands/package-archive.s3.ts';
import { createSandboxClient } from '#aws/hands/sandbox-client.http.ts';
import { createJournal, type FunctionJournal } from '#aws/journal.powertools.ts';
import { createSandboxRecords } from '#aws/hands/sandbox-records.dynamodb.ts';
import { setting, type Env } from '#aws/settings.ts';
import { createStamp, pause } from '#aws/stamp.ts';
import { logOf } from '#aws/worlds/sessions.ts';

export function executeWorld(env: Env): ExecuteWorld & { readonly journal: FunctionJournal } {
  return {
    log: logOf(env),
    sandboxes: createSandboxRecords(createDynamoDb(env), setting(env, 'RECORDS_TABLE')),
    sandboxClient: createSandboxClient(),
    archiveReader: createArchiveReader(new S3Client(), setting(env, 'CONTENT_BUCKET')),
    stamp: createStamp(),
    pause,
    journal: createJournal(),
  };
}
