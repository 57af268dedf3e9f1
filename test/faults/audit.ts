/** A workspace's audit trail, read through the API as auditors do. A broken chain makes the test fail. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { expect } from 'vitest';
import { AUDIT_CHAINS, AuditRecord, type AuditEntry } from '#contract/audit.ts';
import { createAudit } from '#aws/audit/audit.dynamodb.ts';
import { createStamp, newToken, pause, sha256 } from '#aws/stamp.ts';
import { chainOf } from '#core/audit/chain.ts';
import { clientOf, tableIn } from '#test/runtime/clients.ts';
import type { Service } from '#test/journeys/service.ts';
import { readService } from '../../infra/cli/audit-verify/read-export.ts';
import { verdictOf, verifyExport } from '../../infra/cli/audit-verify/verify-export.ts';

const EXPECTED = { checkpoints: new Map(), chains: AUDIT_CHAINS, key: null, signedAfter: null };

type OfCall = Extract<AuditEntry, { kind: 'intent' | 'outcome' }>;

/** The records of a session's calls, by chain position. */
export async function auditOf({ runtime }: Service, session: string): Promise<readonly OfCall[]> {
  const { baseUrl, apiKey } = runtime;
  expect(verdictOf(await verifyExport(readService(baseUrl, apiKey), EXPECTED))).toBe('intact');
  return (await recordsOf(runtime)).flatMap(({ entry }) =>
    entry.kind !== 'administration' && entry.session === session ? [entry] : [],
  );
}

async function recordsOf({ baseUrl, apiKey }: Service['runtime']): Promise<readonly AuditRecord[]> {
  const records: AuditRecord[] = [];
  for await (const { value } of readService(baseUrl, apiKey)) {
    if (value !== undefined) records.push(AuditRecord.parse(value));
  }
  return records;
}

/** Gives each chain a record: the first one of a chain costs one write more, and tests count writes. */
export async function beginChains({ runtime, client }: Service): Promise<void> {
  await client.beta.vaults.create({ display_name: 'of an audit chain' });
  const [first] = await recordsOf(runtime);
  if (first === undefined) throw new Error('the creation of a vault is not in the audit trail');
  const { workspace, entry } = first;
  const dynamodb = new DynamoDBClient(clientOf(runtime, 'api'));
  const table = tableIn(runtime, 'AUDIT_TABLE');
  const audit = createAudit({ dynamodb, table, now: createStamp().now, newToken, pause });
  const begun = new Set<string>();
  for (let about = 0; begun.size < AUDIT_CHAINS.length; about += 1) {
    const chain = chainOf(String(about), sha256);
    if (!begun.has(chain)) await audit.record(workspace, String(about), entry);
    begun.add(chain);
  }
  dynamodb.destroy();
}

/** `intent`, or the outcome of a record. */
export const told = (entries: readonly OfCall[]) =>
  entries.map((entry) => (entry.kind === 'intent' ? 'intent' : entry.outcome));
