/** A workspace's audit trail, read through the API as auditors do. A broken chain makes the test fail. */
import { expect } from 'vitest';
import { AUDIT_CHAINS, AuditRecord, type AuditEntry } from '#contract/audit.ts';
import type { Service } from '#test/journeys/service.ts';
import { readService } from '../../infra/cli/audit-verify/read-export.ts';
import { verdictOf, verifyExport } from '../../infra/cli/audit-verify/verify-export.ts';

const EXPECTED = { checkpoints: new Map(), chains: AUDIT_CHAINS, key: null, signedAfter: null };

type OfCall = Extract<AuditEntry, { kind: 'intent' | 'outcome' }>;

/** The records of a session's calls, by chain position. */
export async function auditOf({ runtime }: Service, session: string): Promise<readonly OfCall[]> {
  const { baseUrl, apiKey } = runtime;
  expect(verdictOf(await verifyExport(readService(baseUrl, apiKey), EXPECTED))).toBe('intact');
  const entries: OfCall[] = [];
  for await (const { value } of readService(baseUrl, apiKey)) {
    if (value === undefined) continue;
    const { entry } = AuditRecord.parse(value);
    if (entry.kind !== 'administration' && entry.session === session) entries.push(entry);
  }
  return entries;
}

/**
 * Administrative changes until each chain has a record: the first one of a chain costs one write more, and tests count
 * writes.
 */
export async function beginChains({ runtime, client }: Service): Promise<void> {
  const begun = new Set<string>();
  while (begun.size < AUDIT_CHAINS.length) {
    for (let change = 0; change < 16; change += 1)
      await client.beta.vaults.create({ display_name: 'of an audit chain' });
    for await (const { value } of readService(runtime.baseUrl, runtime.apiKey)) {
      if (value !== undefined) begun.add(AuditRecord.parse(value).chain);
    }
  }
}

/** `intent`, or the outcome of a record. */
export const told = (entries: readonly OfCall[]) =>
  entries.map((entry) => (entry.kind === 'intent' ? 'intent' : entry.outcome));
