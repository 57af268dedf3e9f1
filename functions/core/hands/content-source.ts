/** What a kind of contents is: a source of what the sandbox must find, and a taker of what the agent writes there. */
import type { SessionState } from '#contract/entries.ts';
import type { ContentChange, ContentEntry } from '#contract/hands.ts';
import type { HandKey } from '#contract/ids.ts';
import type { SessionContents } from '#contract/resources.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { Content, ReservedSandbox } from '#core/ports/sandboxes.ts';
import type { LogKey } from '#core/ports/session-log.ts';

/** The ports of all sources and takers, which `execute` is given. */
export type ContentsWorld = Pick<
  Ports,
  | 'log'
  | 'sandboxClient'
  | 'archiveReader'
  | 'contents'
  | 'skills'
  | 'files'
  | 'outputs'
  | 'blobs'
  | 'leftovers'
  | 'memoryStores'
  | 'memories'
  | 'stamp'
  | 'newToken'
  | 'sha256'
>;

/** A thread with a sandbox, as a call found them. */
export interface Recipient {
  readonly key: LogKey;
  readonly state: SessionState;
  /** Whose sandbox it is: what is found in it and stored from it is that session's. */
  readonly hand: HandKey;
  /** The state of that session's primary thread: it counts the changes of what all threads find. */
  readonly session: SessionState;
  readonly sandbox: Extract<ReservedSandbox, { status: 'ready' }>;
  /** For sources: files, memory stores and skills of the session. Null for none, and while changes are taken. */
  readonly contents?: SessionContents | null;
}

/** Gives one kind of contents to one recipient. */
export interface ContentSource {
  /** Everything of this kind that the sandbox must hold, with all that is there already. */
  entries(): Promise<readonly ContentEntry[]>;
  /** The bytes of an entry of this source, of which the sandbox lacks them; null when they are gone. */
  read(entry: ContentEntry): Promise<Content | null>;
  /** What follows when an entry's bytes are gone, or the sandbox does not take them. `reason` is the sandbox's own. */
  without(entry: ContentEntry, why: Absence): Consequence;
}

type Absence = { readonly why: 'missing' } | { readonly why: 'refused'; readonly reason: string };

export type Consequence =
  /** The call is made without it; the model reads the note, if there is one. */
  | { readonly do: 'go on'; readonly note: string | null }
  /** The sandbox takes no call, ever: the next provisioning looks anew. The call's result is this text. */
  | { readonly do: 'give up'; readonly text: string };

/** Stores one kind of changes. */
export interface ChangeTaker {
  takes(path: string): boolean;
  /**
   * Stores one change and answers a note for the model, if there is one. It answers only when the change needs not be told
   * again, be it stored or refused for good. `content` is null for a removed file. When reading it fails, the file is not
   * whole: the taker leaves nothing behind and lets the error pass. A repeat of a path and a SHA-256 changes nothing, and
   * answers the same note: it comes when a process died before the note was in the log.
   */
  take(change: ContentChange, content: Content | null): Promise<string | null>;
}
