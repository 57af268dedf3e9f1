/** Removes the memories and versions of stores that were deleted. */
import { errorClass } from '#core/ports/errors.ts';
import type { SweepWorld } from '#aws/worlds/sweep.ts';

/** A store may hold more than one sweep removes: the next one goes on with what is left. */
export async function emptyMemoryStores({
  memoryRemovals,
  journal: { logger },
}: Pick<SweepWorld, 'memoryRemovals' | 'journal'>): Promise<void> {
  for await (const place of memoryRemovals.pending()) {
    try {
      await memoryRemovals.finish(place);
    } catch (error) {
      // The next sweep tries this store again.
      logger.error('sweep', { memory_store: place.store, error_class: errorClass(error) });
    }
  }
}
