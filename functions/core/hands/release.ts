/** Ends a session's sandbox, for a session that is being deleted. A repeat finds nothing left to end. */
import type { SessionId } from '#contract/ids.ts';
import type { ProvisionWorld } from '#core/hands/provision.ts';
import type { ReservedSandbox } from '#core/ports/sandboxes.ts';

export async function release(world: ProvisionWorld, session: SessionId): Promise<void> {
  const record = await world.sandboxes.find(session);
  if (record === null || record.status === 'planned' || record.status === 'failed') return;
  // First, so that a provisioner at work makes nothing of this generation ready and begins no further one.
  await world.sandboxes.lost(session, record.generation);
  const task = await taskOf(world, session, record);
  if (task !== null) await world.tasks.stop(task);
}

/** A task that is still starting is known by its name only: asking for it once more tells which it is. */
async function taskOf(world: ProvisionWorld, session: SessionId, record: ReservedSandbox): Promise<string | null> {
  if (record.status === 'ready' || record.status === 'lost') return record.task;
  if (record.status === 'failed') return null;
  const start = { tokenSha256: world.sha256(record.token), archive: record.archive };
  const run = await world.tasks.run(session, record.generation, start);
  return run.status === 'started' ? run.task : null;
}
