/** Undoes the creation of a credential when its process died between the secrets and the row. */
import { later } from '#core/ports/stamp.ts';
import type { Instant } from '#contract/ids.ts';
import type { SecretWriter } from '#core/ports/secrets.ts';
import type { PendingCredentials, CredentialPlace, CredentialRecords } from '#core/ports/vault-records.ts';

export interface PendingCredentialWorld {
  readonly credentials: Pick<PendingCredentials, 'overdue' | 'forget'> & Pick<CredentialRecords, 'find'>;
  readonly secrets: Pick<SecretWriter, 'remove'>;
}

/** No function runs that long, so the function that announced the credential writes nothing after this. */
const LIFETIME_MS = 15 * 60_000;

export function overdueAt(now: Instant): Instant {
  return later(now, -LIFETIME_MS);
}

/** Removes the secrets before the announcement, because a repeat begins with the announcement. */
export async function endPendingCredential(
  world: PendingCredentialWorld,
  place: CredentialPlace,
  now: Instant,
): Promise<void> {
  const { credentials, secrets } = world;
  // The list may be older than the row, and a credential that has a row is not pending.
  if ((await credentials.find(place)) === null) await secrets.remove(place);
  await credentials.forget(place, now);
}
