/** Removes the secrets of credentials whose creation died before there was a row for them. */
import type { Instant } from '#contract/ids.ts';
import { errorClass } from '#core/ports/errors.ts';
import { endPendingCredential, overdueAt } from '#core/vault/end-pending-credential.ts';
import type { SweepWorld } from '#aws/worlds/sweep.ts';

/** One after the other: only a function that died, or a refused creation, leaves one. */
export async function endPendingCredentials(
  { pending, journal: { logger } }: Pick<SweepWorld, 'pending' | 'journal'>,
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
