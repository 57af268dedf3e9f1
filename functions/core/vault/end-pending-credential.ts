/** Undoes the creation of a credential that died between its secrets and its row. */
import { later } from '#core/ports/stamp.ts';
import type { Instant } from '#contract/ids.ts';
import type { SecretWriter } from '#core/ports/secrets.ts';
import type { PendingCredentials, CredentialPlace, CredentialRecords } from '#core/ports/vault-records.ts';

export interface PendingCredentialWorld {
  readonly credentials: Pick<PendingCredentials, 'overdue' | 'forget'> & Pick<CredentialRecords, 'find'>;
  readonly secrets: Pick<SecretWriter, 'remove'>;
}

/** No function lives as long: whoever announced it before is not about to write anything any more. */
const LIFETIME_MS = 15 * 60_000;

export function overdueAt(now: Instant): Instant {
  return later(now, -LIFETIME_MS);
}

/** The secrets before the announcement, for it is what a repeat goes on from. */
export async function endPendingCredential(
  world: PendingCredentialWorld,
  place: CredentialPlace,
  now: Instant,
): Promise<void> {
  const { credentials, secrets } = world;
  // The list may be older than the row, whose coming took it out of there.
  if ((await credentials.find(place)) === null) await secrets.remove(place);
  await credentials.forget(place, now);
}
