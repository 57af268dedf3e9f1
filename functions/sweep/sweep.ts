/** One sweep over the active sessions: each that has no execution gets a new one. */
import type { Instant } from '#contract/ids.ts';
import { errorClass } from '#core/ports/errors.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import { repair, type RunPorts } from '#core/session/repair.ts';
import type { SweepWorld } from '#aws/worlds/sweep.ts';

type SessionsWorld = Pick<SweepWorld, keyof RunPorts | 'runningSince' | 'journal'>;

/** At once: sessions wait for each other's calls to AWS no longer than the function has time for. */
const PARALLEL_REPAIRS = 20;

export async function sweep(world: SessionsWorld, before: Instant): Promise<void> {
  const keys = world.runningSince(before);
  // All take from the same generator, so a repair that is done takes the next key.
  const repairing = await Promise.allSettled(Array.from({ length: PARALLEL_REPAIRS }, () => repairEach(world, keys)));
  // A listing that broke off fails the invocation, but only after the repairs that had begun.
  for (const one of repairing) if (one.status === 'rejected') throw one.reason;
}

async function repairEach(world: SessionsWorld, keys: AsyncIterable<LogKey>): Promise<void> {
  for await (const key of keys) await repairOne(world, key);
}

async function repairOne(world: SessionsWorld, key: LogKey): Promise<void> {
  try {
    const outcome = await repair(world, key);
    if (outcome === 'restarted') world.journal.logger.warn('sweep', { session: key.session, outcome });
  } catch (error) {
    // One session's trouble must not keep the others waiting; the next sweep tries it again.
    world.journal.logger.error('sweep', { session: key.session, error_class: errorClass(error) });
  }
}
