/** Ends what is left of sandboxes. */
import type { HandKey, SessionId } from '#contract/ids.ts';
import type { ProvisionWorld } from '#core/hands/provision.ts';
import type { ReservedSandbox, SandboxRecord } from '#core/ports/sandboxes.ts';

/** For a session that is being deleted. A repeat finds nothing left to end. */
export async function release(world: ProvisionWorld, session: SessionId): Promise<void> {
  for (const { hand, record } of await world.sandboxes.ofSession(session)) await releaseHand(world, hand, record);
}

async function releaseHand(world: ProvisionWorld, hand: HandKey, record: SandboxRecord): Promise<void> {
  if (record.status === 'planned' || record.status === 'failed') return;
  // First, so that a provisioner at work makes nothing of this generation ready and begins no further one.
  await world.sandboxes.lost(hand, record.generation);
  const task = await taskOf(world, hand, record);
  if (task !== null) await world.tasks.stop(task);
}

/** A task that is still starting is known by its name only: asking for it once more tells which it is. */
async function taskOf(world: ProvisionWorld, hand: HandKey, record: ReservedSandbox): Promise<string | null> {
  if (record.status === 'ready' || record.status === 'lost') return record.task;
  if (record.status === 'failed') return null;
  const start = { tokenSha256: world.sha256(record.token), archive: record.archive };
  const run = await world.tasks.run(hand, record.generation, start);
  return run.status === 'started' ? run.task : null;
}

/** For a sandbox that a call found lost: it may be cut off, or hang, and would cost until its idle time. */
export async function stopLost({ sandboxes, tasks }: ProvisionWorld, hand: HandKey): Promise<void> {
  const record = await sandboxes.find(hand);
  // A provisioner that goes on with another generation has stopped it already.
  if (record?.status === 'lost' && record.task !== null) await tasks.stop(record.task);
}
