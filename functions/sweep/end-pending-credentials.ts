/** Removes the secrets of credentials whose creation died before there was a row for them. */
import type { Instant } from '#contract/ids.ts';
import { errorClass } from '#core/ports/errors.ts';
import { endPendingCredential, overdueAt, type PendingCredentialWorld } from '#core/vault/end-pending-credential.ts';

type Logged = (message: string, fields: Readonly<Record<string, string>>) => void;

interface PendingCredentialsWorld {
  readonly pending: PendingCredentialWorld;
  readonly journal: { readonly logger: { readonly warn: Logged; readonly error: Logged } };
}

/** One after the other: only a function that died, or a refused creation, leaves one. */
export async function endPendingCredentials(
  { pending, journal: { logger } }: PendingCredentialsWorld,
  now: Instant,
): Promise<void> {
  for await (const place of pending.credentials.overdue(overdueAt(now))) {
    const { credential } = place;
    try {
      await endPendingCredential(pending, place, now);
      logger.warn('sweep', { credential, outcome: 'pending_credential_ended' });
    } catch (error) {
      // One credential's trouble must not keep the others' secrets; the next sweep tries it again.
      logger.error('sweep', { credential, error_class: errorClass(error) });
    }
  }
}
