/**
 * The one way out of a sandbox: what the agent wrote during a call is stored before the call's result is in the log. The
 * sandbox tells a change and its notes again until they are kept, which follows the result. So a process that dies in
 * between is told the same again: a taker refuses the repeat by path and SHA-256, and answers the same note.
 */
import type { ChangesResponse, ContentChange } from '#contract/hands.ts';
import type { ChangeTaker, ContentsWorld, Recipient } from '#core/hands/content-source.ts';
import { Fault } from '#core/ports/errors.ts';
import { memoryTaker } from '#core/hands/memory-taker.ts';
import { outputsTaker } from '#core/hands/outputs-taker.ts';
import type { Content } from '#core/ports/sandboxes.ts';

/** All kinds of changes: outputs and memory. */
const TAKERS: readonly ((world: ContentsWorld, recipient: Recipient) => ChangeTaker)[] = [outputsTaker, memoryTaker];

export interface TakenChanges {
  /** For the model. */
  readonly notes: readonly string[];
  /** Tells the sandbox that all is stored and told. To be called when the notes are in the log. */
  keep(): Promise<void>;
  /** The same where no result can tell notes: what has one waits and is told again. Answers how many changes it keeps. */
  keepUnnoted(): Promise<number>;
  /** Tells the sandbox that nothing is told, so that the next caller need not wait. */
  leave(): Promise<void>;
}

const NOT_TOLD: TakenChanges = {
  notes: [
    '(The sandbox did not answer when what this call wrote for the user and into memory was to be stored. It is tried again after the next call.)',
  ],
  keep: async () => undefined,
  keepUnnoted: async () => 0,
  leave: async () => undefined,
};
/** Paths that one note names; the others are counted. */
const MOST_NAMED = 3;

/** Stores what waits in the sandbox. */
export async function takeChanges(world: ContentsWorld, recipient: Recipient, kinds = TAKERS): Promise<TakenChanges> {
  const waiting = await world.sandboxClient.changes(recipient.sandbox);
  return waiting === null ? NOT_TOLD : storeChanges(world, recipient, { waiting, kinds });
}

interface Storing {
  readonly waiting: ChangesResponse;
  readonly kinds?: typeof TAKERS;
}

export async function storeChanges(
  world: ContentsWorld,
  recipient: Recipient,
  { waiting, kinds = TAKERS }: Storing,
): Promise<TakenChanges> {
  const { sandboxClient } = world;
  const takers = kinds.map((taker) => taker(world, recipient));
  const kept: { readonly change: ContentChange; readonly isNoted: boolean }[] = [];
  const unread: string[] = [];
  const notes: string[] = [...waiting.notes];
  // One after the other: what was removed makes room first, and a large file is never beside another one.
  for (const change of waiting.changes.toSorted((a, b) => Number(a.sha256 !== null) - Number(b.sha256 !== null))) {
    const told = await takeOne(world, recipient, { change, taker: takers.find(({ takes }) => takes(change.path)) });
    if (told === null) {
      unread.push(change.path);
      continue;
    }
    kept.push({ change, isNoted: told.length > 0 });
    notes.push(...told);
  }
  if (unread.length > 0) notes.push(notStored(unread));
  const keep = (stored: typeof kept, told: readonly string[]) =>
    sandboxClient.keep(recipient.sandbox, {
      kept: stored.map(({ change: { path, sha256 } }) => ({ path, sha256 })),
      notes: [...told],
    });
  return {
    notes,
    keep: () => keep(kept, waiting.notes),
    async keepUnnoted() {
      const silent = kept.filter(({ isNoted }) => !isNoted);
      await keep(silent, []);
      return silent.length;
    },
    leave: () => keep([], []),
  };
}

function notStored(paths: readonly string[]): string {
  const named = paths.slice(0, MOST_NAMED).map((path) => JSON.stringify(path));
  const more = paths.length > MOST_NAMED ? ` and ${paths.length - MOST_NAMED} more` : '';
  return `(Not stored yet, because it could not be read as a whole: ${named.join(', ')}${more}. It is tried again after the next call.)`;
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
