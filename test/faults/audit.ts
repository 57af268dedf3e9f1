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
import { verdictOf, verifyExport, type Exported } from '../../infra/cli/audit-verify/verify-export.ts';

type OfCall = Extract<AuditEntry, { kind: 'intent' | 'outcome' }>;

/** The records of a session's calls, by chain position. They are in one chain, and only that one is read. */
export async function auditOf({ runtime }: Service, session: string): Promise<readonly OfCall[]> {
  const records = await verifiedRecords(runtime, [chainOf(session, sha256)]);
  return records.flatMap(({ entry }) => ('call' in entry && entry.session === session ? [entry] : []));
}

/** Verifies every chain. A chain that a test broke stays broken, so the end of a file is soon enough. */
export const verifyAudit = ({ runtime }: Service) => verifiedRecords(runtime, AUDIT_CHAINS);

async function verifiedRecords(
  { baseUrl, apiKey }: Service['runtime'],
  chains: readonly string[],
): Promise<readonly AuditRecord[]> {
  const records: AuditRecord[] = [];
  async function* keepRecords(): AsyncGenerator<Exported> {
    for await (const one of readService(baseUrl, apiKey, chains)) {
      if (one.value !== undefined) records.push(AuditRecord.parse(one.value));
      yield one;
    }
  }
  const expected = { checkpoints: new Map(), chains, key: null, signedAfter: null };
  expect(verdictOf(await verifyExport(keepRecords(), expected))).toBe('intact');
  return records;
}

/** Gives each chain a record: the first one of a chain costs one write more, and tests count writes. */
export async function beginChains({ runtime, client }: Service): Promise<void> {
  const { id } = await client.beta.vaults.create({ display_name: 'of an audit chain' });
  const [first] = await verifiedRecords(runtime, [chainOf(id, sha256)]);
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
