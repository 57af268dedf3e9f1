/** Sweep: every minute, gives each active session that has no execution a new one. */
import { errorClass } from '#core/errors.ts';
import { repair } from '#core/session/repair.ts';
import { sweepWorld } from '#aws/world.ts';

const world = sweepWorld(process.env);

/** Younger runs are still being started by whoever began them. */
const MIN_AGE_MS = 30_000;

export async function handler(): Promise<void> {
  const before = new Date(Date.now() - MIN_AGE_MS).toISOString();
  for await (const key of world.runningSince(before)) {
    try {
      const outcome = await repair(world, key);
      if (outcome === 'restarted') world.journal.logger.warn('sweep', { session: key.session, outcome });
    } catch (error) {
      // One session's trouble must not keep the others waiting; the next sweep tries it again.
      world.journal.logger.error('sweep', { session: key.session, error_class: errorClass(error) });
    }
  }
}
