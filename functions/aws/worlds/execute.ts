/** The world of the function that sends tool calls to sandboxes. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import type { ExecuteWorld } from '#core/hands/execute.ts';
import { createDynamoDb } from '#aws/clients.ts';
import { createBlobs } from '#aws/files/blobs.s3.ts';
import { createFileRecords } from '#aws/files/files.dynamodb.ts';
import { createOutputRecords } from '#aws/files/outputs.dynamodb.ts';
import { createArchiveReader } from '#aws/hands/package-archive.s3.ts';
import { createSandboxClient } from '#aws/hands/sandbox-client.http.ts';
import { createJournal, type FunctionJournal } from '#aws/journal.powertools.ts';
import { createMemories } from '#aws/memory/memories.dynamodb.ts';
import { createMemoryStoreRecords } from '#aws/memory/memory-stores.dynamodb.ts';
import { createProxyRecords, createSandboxRecords } from '#aws/hands/sandbox-records.dynamodb.ts';
import { createLeftovers } from '#aws/leftovers.dynamodb.ts';
import { createContentsReader } from '#aws/session/session-contents.dynamodb.ts';
import { createSkillRecords } from '#aws/skills/skills.dynamodb.ts';
import { setting, type Env } from '#aws/settings.ts';
import { createStamp, hmac, newToken, pause, sha256 } from '#aws/stamp.ts';
import { logOf } from '#aws/worlds/sessions.ts';

export function executeWorld(env: Env): ExecuteWorld & { readonly journal: FunctionJournal } {
  const dynamodb = createDynamoDb(env);
  const [records, bucket] = [setting(env, 'RECORDS_TABLE'), setting(env, 'CONTENT_BUCKET')];
  const memory = setting(env, 'MEMORY_TABLE');
  return {
    log: logOf(env),
    sandboxes: createSandboxRecords(dynamodb, records),
    sandboxClient: createSandboxClient(),
    archiveReader: createArchiveReader(new S3Client(), bucket),
    contents: createContentsReader(dynamodb, records),
    skills: createSkillRecords(dynamodb, records),
    files: createFileRecords(dynamodb, records),
    outputs: createOutputRecords(dynamodb, records),
    blobs: createBlobs(env, bucket),
    leftovers: createLeftovers(dynamodb, records),
    memoryStores: createMemoryStoreRecords(dynamodb, memory),
    memories: createMemories(dynamodb, memory),
    wayOut: wayOutIn(env, dynamodb),
    newToken,
    sha256,
    stamp: createStamp(),
    pause,
    journal: createJournal(),
  };
}

function wayOutIn(env: Env, dynamodb: DynamoDBClient): ExecuteWorld['wayOut'] {
  const isClosed = setting(env, 'NETWORK_MAX') === 'none';
  const warm = isClosed ? 0 : Number(setting(env, 'EGRESS_WARM_PROXIES'));
  return { warm, isClosed, hmac, proxies: createProxyRecords(dynamodb, setting(env, 'RECORDS_TABLE')) };
}
