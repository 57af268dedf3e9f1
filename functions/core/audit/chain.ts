/** Chains of audit records: each holds the hash of the record before it. */
import { AUDIT_CHAINS, type AuditRecord } from '#contract/audit.ts';
import { canonicalJson, type Sha256 } from '#core/ports/canonical-json.ts';

/** The fields of a chain's last record that the next one depends on. */
export type ChainHead = Pick<AuditRecord, 'position' | 'hash' | 'at'>;

/** Records about one thing share a chain. Things are spread over all chains, because a chain is written record by record. */
export function chainOf(about: string, sha256: Sha256): string {
  const shard = Number.parseInt(sha256(about).slice(0, 8), 16) % AUDIT_CHAINS.length;
  return AUDIT_CHAINS[shard] ?? '00';
}

/**
 * The record after `head`. Its instant is never earlier than the head's, so that an export by time keeps each chain's
 * order although the writers' clocks differ.
 */
export function recordAfter(
  head: ChainHead | null,
  record: Omit<AuditRecord, 'position' | 'previous' | 'hash'>,
  sha256: Sha256,
): AuditRecord {
  const at = head !== null && head.at > record.at ? head.at : record.at;
  const sealed = { ...record, at, position: (head?.position ?? 0) + 1, previous: head?.hash ?? null };
  return { ...sealed, hash: recordHash(sealed, sha256) };
}

/** The hash covers every field but `hash` itself, also fields that a later version of this service added. */
export function recordHash(record: object, sha256: Sha256): string {
  return sha256(canonicalJson({ ...record, hash: undefined }));
}
