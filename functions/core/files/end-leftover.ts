/** Ends what a process left behind when it died, and what lost its last row. */
import type { Instant } from '#contract/ids.ts';
import type { DueLeftover } from '#core/ports/blobs.ts';
import type { Ports } from '#core/ports/ports.ts';
import { later } from '#core/ports/stamp.ts';

export type LeftoverPorts = Pick<Ports, 'abandonedCopies' | 'abandonedVersions' | 'blobRemover' | 'leftovers'>;

/** No function runs longer than 15 minutes, so the one that announced the leftover has no use for it after this. */
const LIFETIME_MS = 20 * 60_000;

/** When an announcement is due that is made before the effect. */
export function dueAfter(now: Instant): Instant {
  return later(now, LIFETIME_MS);
}

/** The effect comes before the announcement is forgotten, because a repeat begins with the announcement. */
export async function endLeftover(
  { abandonedCopies, abandonedVersions, blobRemover, leftovers }: LeftoverPorts,
  due: DueLeftover,
  now: Instant,
): Promise<'held' | 'ended'> {
  const { leftover } = due;
  const isHeld = await leftovers.isHeld(leftover, now);
  if (!isHeld && leftover.type === 'blob') await blobRemover.remove(leftover.blob, leftover.upload);
  if (!isHeld && leftover.type === 'copies') await abandonedCopies.abandon(leftover.workspace, leftover.session, now);
  if (!isHeld && leftover.type === 'skill') await abandonedVersions.abandonVersions(leftover.holder, now);
  await leftovers.forget(due, now);
  return isHeld ? 'held' : 'ended';
}
