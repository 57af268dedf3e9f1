/** How a record follows the one before it. */
import { AUDIT_CHAINS, type AuditRecord } from '#contract/audit.ts';
import { canonicalJson, type Sha256 } from '#core/ports/canonical-json.ts';

/** The last record of a chain, as far as the next one needs it. */
export type ChainHead = Pick<AuditRecord, 'position' | 'hash' | 'at'>;

/** What is about one thing is in one chain; things are spread over all of them, because each is written one by one. */
export function chainOf(about: string, sha256: Sha256): string {
  const shard = Number.parseInt(sha256(about).slice(0, 8), 16) % AUDIT_CHAINS.length;
  return AUDIT_CHAINS[shard] ?? '00';
}

/**
 * The record that comes after `head`. It is never earlier than that, so that an export by time keeps each chain's order
 * although the writers' clocks differ.
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

/** Over everything that the record says, also what later versions have added to it; `hash` itself is left out. */
export function recordHash(record: object, sha256: Sha256): string {
  return sha256(canonicalJson({ ...record, hash: undefined }));
}
