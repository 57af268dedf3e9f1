/** The world of the function that signs the heads of audit chains. */
import { KMSClient } from '@aws-sdk/client-kms';
import { S3Client } from '@aws-sdk/client-s3';
import type { SigningPorts } from '#core/audit/sign-heads.ts';
import { createDynamoDb } from '#aws/clients.ts';
import { createChainEnds } from '#aws/audit/chain-ends.dynamodb.ts';
import { createHeadsKey } from '#aws/audit/heads-key.kms.ts';
import { createKeptHeads } from '#aws/audit/kept-heads.s3.ts';
import { createJournal, type FunctionJournal } from '#aws/journal.powertools.ts';
import { setting, type Env } from '#aws/settings.ts';
import { createStamp } from '#aws/stamp.ts';

export function signAuditWorld(env: Env): SigningPorts & { readonly journal: FunctionJournal } {
  return {
    ends: createChainEnds(createDynamoDb(env), setting(env, 'AUDIT_TABLE')),
    key: createHeadsKey(new KMSClient(), setting(env, 'AUDIT_KEY_ARN')),
    kept: createKeptHeads(new S3Client(), setting(env, 'AUDIT_HEADS_BUCKET')),
    now: createStamp().now,
    journal: createJournal(),
  };
}
