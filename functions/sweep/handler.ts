/**
 * Sweep: every minute, gives each active session that has no execution a new one, finishes interrupted consents, undoes
 * creations of credentials that died half-way, stops sandboxes that nothing needs, has taken over what is left in idle ones,
 * removes bytes that no file names, and empties memory stores that were deleted.
 */
import { later } from '#core/ports/stamp.ts';
import { sweepWorld } from '#aws/worlds/sweep.ts';
import { endLeftovers } from './end-leftovers.ts';
import { endPendingCredentials } from './end-pending-credentials.ts';
import { emptyMemoryStores } from './empty-memory-stores.ts';
import { settleConnections } from './settle-connections.ts';
import { sweep } from './sweep.ts';
import { sweepTasks } from './sweep-tasks.ts';

const world = sweepWorld(process.env);

/** The functions that began younger runs and consents may still be at work on them. */
const MIN_AGE_MS = 30_000;

export async function handler(): Promise<void> {
  const now = world.stamp.now();
  const before = later(now, -MIN_AGE_MS);
  const all = await Promise.allSettled([
    sweep(world, before),
    settleConnections(world, before),
    endPendingCredentials(world, now),
    endLeftovers(world, now),
    emptyMemoryStores(world),
    sweepTasks(world, now),
  ]);
  for (const one of all) if (one.status === 'rejected') throw one.reason;
}
