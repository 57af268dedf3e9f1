/** Ends a session's sandbox, for a session that is being deleted. A repeat finds nothing left to end. */
import type { SessionId } from '#contract/ids.ts';
import type { ProvisionWorld } from '#core/hands/provision.ts';

export async function release(world: ProvisionWorld, session: SessionId): Promise<void> {
  const record = await world.sandboxes.find(session);
  if (record === null || (record.status !== 'ready' && record.status !== 'starting')) return;
  const { generation, archive } = record;
  // A task that is still starting is known by its name only: asking for it once more tells which it is.
  const task =
    record.status === 'ready'
      ? record.task
      : await world.tasks.run(session, generation, { tokenSha256: world.sha256(record.token), archive });
  await world.tasks.stop(task);
  await world.sandboxes.lost(session, generation);
}
