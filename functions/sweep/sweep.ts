/** One sweep over the active threads of all sessions: each that has no execution gets a new one. */
import type { Instant } from '#contract/ids.ts';
import { errorClass } from '#core/ports/errors.ts';
import { isPrimary, runName, type LogKey } from '#core/ports/session-log.ts';
import { repair, type RunPorts } from '#core/session/repair.ts';
import type { SweepWorld } from '#aws/worlds/sweep.ts';

type SessionsWorld = Pick<SweepWorld, keyof RunPorts | 'runList' | 'runningSince' | 'pause' | 'journal'>;

/** At once: threads wait for each other's calls to AWS no longer than the function has time for. */
const PARALLEL_REPAIRS = 20;
/** Step Functions starts 150 executions a second in most Regions, and the API needs them. This takes a third. */
const BETWEEN_REPAIRS_MS = 20;
/** Step Functions lists two pages a second in most Regions. */
const BETWEEN_PAGES_MS = 500;

export async function sweep(world: SessionsWorld, before: Instant): Promise<void> {
  const alive = new Set<string>();
  for await (const names of world.runList.running()) {
    for (const name of names) alive.add(name);
    await world.pause(BETWEEN_PAGES_MS);
  }
  const keys = withoutExecution(world, before, alive);
  // All take from the same generator, so a repair that is done takes the next key.
  const repairing = await Promise.allSettled(Array.from({ length: PARALLEL_REPAIRS }, () => repairEach(world, keys)));
  // A listing that broke off fails the invocation, but only after the repairs that had begun.
  for (const one of repairing) if (one.status === 'rejected') throw one.reason;
}

/** At the pace that Step Functions allows. A start that the list does not show yet is repeated, and changes nothing. */
async function* withoutExecution(
  world: SessionsWorld,
  before: Instant,
  alive: ReadonlySet<string>,
): AsyncGenerator<LogKey> {
  for await (const { run, ...key } of world.runningSince(before)) {
    if (alive.has(runName(key, run))) continue;
    yield key;
    await world.pause(BETWEEN_REPAIRS_MS);
  }
}

async function repairEach(world: SessionsWorld, keys: AsyncIterable<LogKey>): Promise<void> {
  for await (const key of keys) await repairOne(world, key);
}

async function repairOne(world: SessionsWorld, key: LogKey): Promise<void> {
  try {
    const outcome = await repair(world, key);
    if (outcome === 'restarted') world.journal.logger.warn('sweep', { ...namesOf(key), outcome });
  } catch (error) {
    // One thread's trouble must not keep the others waiting; the next sweep tries it again.
    world.journal.logger.error('sweep', { ...namesOf(key), error_class: errorClass(error) });
  }
}

function namesOf(key: LogKey): Readonly<Record<string, string>> {
  return isPrimary(key) ? { session: key.session } : { session: key.session, thread: key.thread };
}
