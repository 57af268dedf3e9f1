/** Sweep: every minute, gives each active session that has no execution a new one, and finishes interrupted consents. */
import { sweepWorld } from '#aws/world.ts';
import { settleConsents } from './settle-consents.ts';
import { sweep } from './sweep.ts';

const world = sweepWorld(process.env);

/** Younger runs are still being started by whoever began them, and younger consents finished. */
const MIN_AGE_MS = 30_000;

export async function handler(): Promise<void> {
  const before = new Date(Date.now() - MIN_AGE_MS).toISOString();
  const both = await Promise.allSettled([sweep(world, before), settleConsents(world, before)]);
  for (const one of both) if (one.status === 'rejected') throw one.reason;
}
