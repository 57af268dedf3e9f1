/**
 * Takes over what programs wrote after a session's last call, before its idle sandbox ends. The sweep asks for it when a
 * sandbox was not used for its idle time and still runs, because only a sandbox in which something waits does.
 */
import type { HarvestInput } from '#contract/run.ts';
import { primaryThread } from '#contract/ids.ts';
import { storeChanges } from '#core/hands/changes.ts';
import type { ContentsWorld } from '#core/hands/content-source.ts';
import type { Ports } from '#core/ports/ports.ts';

/** Each takes as much as one call may hand out. */
const MOST_ROUNDS = 10;

export async function harvest(
  world: ContentsWorld & Pick<Ports, 'sandboxes'>,
  { session, harvest: generation }: HarvestInput,
): Promise<void> {
  const key = { session, thread: primaryThread(session) };
  const [head, sandbox] = await Promise.all([world.log.head(key), world.sandboxes.find(session)]);
  if (head === null || sandbox?.status !== 'ready' || sandbox.generation !== generation) return;
  const recipient = { key, state: head.state, sandbox };
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const waiting = await world.sandboxClient.changes(sandbox);
    // A call is running or has just ended: it takes over what it changed.
    if (waiting === null || !waiting.isLast) return;
    // No result tells the notes. Of a conflict, both texts are versions of the memory.
    const { keep } = await storeChanges(world, recipient, { waiting });
    await keep();
  }
}
