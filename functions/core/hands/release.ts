/** Ends a session's sandbox, for a session that is being deleted. A repeat finds nothing left to end. */
import type { SessionId } from '#contract/ids.ts';
import type { ProvisionWorld } from '#core/hands/provision.ts';

export async function release(world: ProvisionWorld, session: SessionId): Promise<void> {
  const record = await world.records.find(session);
  if (record === null || record.status === 'lost') return;
  // A task that is still starting is known by its name only: asking for it once more tells which it is.
  const task =
    record.status === 'ready'
      ? record.task
      : await world.tasks.run(session, record.generation, world.sha256(record.token));
  await world.tasks.stop(task);
  await world.records.lost(session, record.generation);
}
