/**
 * Takes over what programs wrote since a session's last call: before its turn ends, while programs go on, and before its
 * idle sandbox ends. The run asks for the first, and the sweep for the second when a sandbox was not used for its idle time
 * and still runs, because only a sandbox in which something waits does.
 */
import type { HarvestInput, TurnHarvestInput } from '#contract/run.ts';
import { mainHand, primaryThread } from '#contract/ids.ts';
import { storeChanges } from '#core/hands/changes.ts';
import type { ContentsWorld, Recipient } from '#core/hands/content-source.ts';
import type { Ports } from '#core/ports/ports.ts';
import { change } from '#core/session/change.ts';
import { heldHand } from '#core/session/waiting.ts';

type HarvestWorld = ContentsWorld & Pick<Ports, 'sandboxes' | 'stamp'>;

/** Each takes as much as one call may hand out. */
const MOST_ROUNDS = 10;

export async function harvestIdle(world: HarvestWorld, { hand, harvest: generation }: HarvestInput): Promise<void> {
  const key = { session: hand.session, thread: primaryThread(hand.session) };
  const [head, sandbox] = await Promise.all([world.log.head(key), world.sandboxes.find(hand)]);
  if (head === null || sandbox?.status !== 'ready' || sandbox.generation !== generation) return;
  const recipient = { key, hand, state: head.state, session: head.state, sandbox };
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const waiting = await world.sandboxClient.changes(sandbox);
    // A call is running or has just ended: it takes over what it changed.
    if (waiting === null) return;
    if (!waiting.isLast) return world.sandboxClient.keep(sandbox, { kept: [], notes: [] });
    // No result tells the notes. Of a conflict, both texts are versions of the memory.
    const { keep } = await storeChanges(world, recipient, { waiting });
    await keep();
  }
}

/** The next turn ends then. A sandbox that is gone, or does not answer, has nothing to hand out. */
export async function harvestTurn(world: HarvestWorld, { session, thread, since }: TurnHarvestInput): Promise<void> {
  const key = { session, thread };
  const head = await world.log.head(key);
  const hand = (head && heldHand(head.state)) ?? mainHand(session);
  const sandbox = await world.sandboxes.find(hand);
  if (head?.state.ending?.position !== since || head.state.ending.isHarvested) return;
  const isThere = sandbox?.status === 'ready';
  const programsLive =
    isThere && (await takeOver(world, { key, hand, state: head.state, session: head.state, sandbox }));
  await change(world, key, head, { do: 'harvested', since, programsLive });
}

/** Whether programs still go on. What the model has to read a note about is told again with the next call. */
async function takeOver(world: HarvestWorld, recipient: Recipient): Promise<boolean> {
  let programsLive = false;
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    const waiting = await world.sandboxClient.changes(recipient.sandbox);
    programsLive = waiting?.programsLive === true;
    if (waiting === null || waiting.changes.length === 0) break;
    const { keepUnnoted } = await storeChanges(world, recipient, { waiting });
    if ((await keepUnnoted()) === 0) break;
  }
  return programsLive;
}
