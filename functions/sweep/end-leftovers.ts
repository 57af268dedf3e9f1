/** Removes blobs that no row names, and copies of files for sessions that do not exist. */
import type { Instant } from '#contract/ids.ts';
import { endLeftover } from '#core/files/end-leftover.ts';
import { errorClass } from '#core/ports/errors.ts';
import type { SweepWorld } from '#aws/worlds/sweep.ts';

const PARALLEL = 20;

export async function endLeftovers(
  { leftovers, journal }: Pick<SweepWorld, 'leftovers' | 'journal'>,
  now: Instant,
): Promise<void> {
  const due = leftovers.leftovers.due(now);
  const counts = { held: 0, ended: 0 };
  const endEach = async (): Promise<void> => {
    for await (const one of due) {
      try {
        counts[await endLeftover(leftovers, one, now)] += 1;
      } catch (error) {
        // The trouble of one must not keep the others; the next sweep tries it again.
        journal.logger.error('sweep', { leftover: one.leftover.type, error_class: errorClass(error) });
      }
    }
  };
  // All take from the same generator.
  await Promise.all(Array.from({ length: PARALLEL }, endEach));
  if (counts.ended > 0) journal.logger.warn('sweep', { outcome: 'leftovers_ended', count: String(counts.ended) });
}
