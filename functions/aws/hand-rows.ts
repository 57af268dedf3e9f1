/** What is stored of a hand before it has a sandbox: the rooms of hands and of sessions write it. */
import { mainHand, type HandKey } from '#contract/ids.ts';
import type { OwnEnvironment } from '#contract/entries.ts';
import type { Columns, Key } from '#aws/table.ts';

/** The rows of all hands of a session have sort keys that begin with it. */
export const MAIN_HAND = 'sandbox';
export const OTHER_HANDS = `${MAIN_HAND}#`;

export function handKey({ session, hand }: HandKey): Key {
  return { pk: session, sk: isMain({ session, hand }) ? MAIN_HAND : `${OTHER_HANDS}${hand}` };
}

export function isMain({ session, hand }: HandKey): boolean {
  return hand === mainHand(session).hand;
}

/** The hand of a thread has the thread's id. Its plan is in the thread's details, so that a thread begins with no more rows. */
export function planKey({ session, hand }: HandKey): Key {
  return { pk: session, sk: `thread#${hand}#details` };
}

export function planColumns({ id, packages }: OwnEnvironment): Columns {
  return { environment: id, packages: packages === null ? null : JSON.stringify(packages) };
}
