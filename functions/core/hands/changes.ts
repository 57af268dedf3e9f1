/**
 * The one way out of a sandbox: what the agent wrote during a call is stored before the call's result is in the log. A
 * change is told again until it is kept, so a process that dies between storing and keeping stores it a second time: a
 * taker refuses the repeat by path and SHA-256.
 */
import type { ContentChange } from '#contract/hands.ts';
import type { ChangeTaker, ContentsWorld, Recipient } from '#core/hands/content-source.ts';
import { Fault } from '#core/ports/errors.ts';
import { memoryTaker } from '#core/hands/memory-taker.ts';
import { outputsTaker } from '#core/hands/outputs-taker.ts';
import type { Content } from '#core/ports/sandboxes.ts';

/** All kinds of changes: outputs and memory. */
const TAKERS: readonly ((world: ContentsWorld, recipient: Recipient) => ChangeTaker)[] = [outputsTaker, memoryTaker];

/** Stores what waits in the sandbox, and answers notes for the model. */
export async function takeChanges(
  world: ContentsWorld,
  recipient: Recipient,
  kinds = TAKERS,
): Promise<readonly string[]> {
  const takers = kinds.map((taker) => taker(world, recipient));
  const { sandboxClient } = world;
  const waiting = takers.length === 0 ? null : await sandboxClient.changes(recipient.sandbox);
  if (waiting === null) return [];
  const kept: ContentChange[] = [];
  const notes: string[] = [...waiting.notes];
  // One after the other: what was removed makes room first, and a large file is never beside another one.
  for (const change of waiting.changes.toSorted((a, b) => Number(a.sha256 !== null) - Number(b.sha256 !== null))) {
    const told = await takeOne(world, recipient, { change, taker: takers.find(({ takes }) => takes(change.path)) });
    if (told === null) continue;
    kept.push(change);
    notes.push(...told);
  }
  if (kept.length > 0) await sandboxClient.keep(recipient.sandbox, kept);
  return notes;
}

interface Taking {
  readonly change: ContentChange;
  readonly taker: ChangeTaker | undefined;
}

/** Notes for the model; null when the file is not what the change says any more, and the next call tells it again. */
async function takeOne(
  { sandboxClient }: ContentsWorld,
  { sandbox }: Recipient,
  { change, taker }: Taking,
): Promise<readonly string[] | null> {
  if (taker === undefined) return [];
  const reading = { failed: false };
  /** Asks for the bytes when the taker wants them: it may refuse a change without. */
  async function* body(): Content['body'] {
    try {
      const content = await sandboxClient.read(sandbox, change);
      if (content === null) throw new Fault('sandbox_lost', 'the file is no longer what was told');
      yield* content.body;
    } catch (error) {
      reading.failed = true;
      throw error;
    }
  }
  return taker.take(change, change.sha256 === null ? null : { bytes: change.bytes, body: body() }).then(
    (note) => (note === null ? [] : [note]),
    (error: unknown) => {
      if (reading.failed) return null;
      throw error;
    },
  );
}
