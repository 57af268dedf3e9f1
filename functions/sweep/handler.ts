/** Sweep: every minute, gives each active session that has no execution a new one. */
import { sweepWorld } from '#aws/world.ts';
import { sweep } from './sweep.ts';

const world = sweepWorld(process.env);

/** Younger runs are still being started by whoever began them. */
const MIN_AGE_MS = 30_000;

export const handler = (): Promise<void> => sweep(world, new Date(Date.now() - MIN_AGE_MS).toISOString());
