/**
 * The one way into a sandbox. Each kind of contents is a source: it names entries for the manifest and gives their bytes.
 * A call names the manifest's version, and that of its thread's own part. Only a sandbox that has another one costs anything:
 * it is told the manifest, and is sent in one stream what it lacks.
 */
import { contentPathFault, type ContentEntry } from '#contract/hands.ts';
import type { Consequence, ContentSource, ContentsWorld, Recipient } from '#core/hands/content-source.ts';
import { filesSource } from '#core/hands/files-source.ts';
import { largeResultsSource } from '#core/hands/large-results-source.ts';
import { memorySource } from '#core/hands/memory-source.ts';
import { packagesSource } from '#core/hands/packages-source.ts';
import { repositoriesSource } from '#core/hands/repositories-source.ts';
import { skillsSource } from '#core/hands/skills-source.ts';
import type { Parcel } from '#core/ports/sandboxes.ts';

type Source = (world: ContentsWorld, recipient: Recipient) => ContentSource;

/**
 * All kinds of contents: what every thread of a session finds, and what a thread's own log holds. A kind that is added here
 * adds its ports to `ContentsWorld` and to `aws/worlds/execute.ts`.
 */
const SOURCES: Readonly<Record<'session' | 'thread', readonly Source[]>> = {
  session: [packagesSource, filesSource, skillsSource, memorySource, repositoriesSource],
  thread: [largeResultsSource],
};

/** Null where there is nothing to find. */
export interface ContentsVersions {
  readonly session: string | null;
  readonly thread: string | null;
}

/**
 * The versions of both parts of the manifest, which are known without reading anything. Whatever changes a source's entries
 * changes one of them: `contents` of the session's state counts changes of files, memory and skills.
 */
export function contentsVersions({ state, session, sandbox }: Recipient): ContentsVersions {
  const parts = [session.contents, sandbox.archive];
  const hasNothing = parts.every((part) => part === undefined || part === null);
  return { session: hasNothing ? null : parts.join(' '), thread: state.largeResults.at(-1)?.call ?? null };
}

type Given =
  /** The call may be repeated. When something is absent, it must not ask for this version. */
  | { readonly status: 'given'; readonly isWhole: boolean; readonly notes: readonly string[] }
  /** The sandbox could not be reached: the repeated call finds out whether it still listens. */
  | { readonly status: 'interrupted' }
  | { readonly status: 'given up'; readonly text: string };

export const TAKES_NOTHING = {
  status: 'given up',
  text: 'The sandbox could not take the files of this session. This call had no effect. The next call gets a new sandbox.',
} as const;
/** Streams that are opened ahead of the one that is sent: many small objects take one round trip each. */
const AHEAD = 16;
/** What one giving tells the model. */
const MOST_NOTES = 20;
const MOST_NOTE_CHARS = 2000;

/** The version of a session's part without entries, which no call names. */
const NO_CONTENTS = 'none';

interface SourcedEntry {
  readonly part: 'session' | 'thread';
  readonly entry: ContentEntry;
  readonly source: ContentSource;
}

export async function giveContents(world: ContentsWorld, recipient: Recipient): Promise<Given> {
  const { sandbox, key } = recipient;
  const versions = contentsVersions(recipient);
  const wanted = await wantedOf(world, recipient);
  const entriesOf = (part: SourcedEntry['part']) =>
    [...wanted.values()].flatMap((sourced) => (sourced.part === part ? [sourced.entry] : []));
  const ofThread =
    versions.thread === null ? null : { id: key.thread, version: versions.thread, entries: entriesOf('thread') };
  const expected = await world.sandboxClient.expect(sandbox, {
    ...{ version: versions.session ?? NO_CONTENTS, entries: entriesOf('session') },
    ...(ofThread && { thread: ofThread }),
  });
  if (expected.status === 'interrupted') return expected;
  if (expected.status === 'refused') return TAKES_NOTHING;
  const lacking = expected.lacking.flatMap((path) => wanted.get(path) ?? []);
  if (lacking.length === 0) return { status: 'given', isWhole: true, notes: [] };
  const consequences: Consequence[] = [];
  const onMissing = ({ entry, source }: SourcedEntry) =>
    void consequences.push(source.without(entry, { why: 'missing' }));
  const put = await world.sandboxClient.put(sandbox, parcelsOf(lacking, onMissing));
  if (put.status === 'interrupted') return put;
  if (put.status === 'refused') return TAKES_NOTHING;
  for (const { path, reason, isSuperseded } of put.refused) {
    const refused = wanted.get(path);
    // Another call gives a newer one: the sandbox lets no call begin before it is there.
    if (refused !== undefined && isSuperseded !== true)
      consequences.push(refused.source.without(refused.entry, { why: 'refused', reason }));
  }
  const end = consequences.find((consequence) => consequence.do === 'give up');
  if (end !== undefined) return { status: 'given up', text: end.text };
  const notes = consequences.flatMap((consequence) => (consequence.do === 'go on' ? (consequence.note ?? []) : []));
  return { status: 'given', isWhole: consequences.length === 0, notes: bounded(notes) };
}

function bounded(notes: readonly string[]): readonly string[] {
  const told = notes.slice(0, MOST_NOTES).map((note) => note.slice(0, MOST_NOTE_CHARS));
  const more = notes.length - told.length;
  return more === 0 ? told : [...told, `(${more} more are not in the sandbox either.)`];
}

/** By path. When two kinds want one path, the first has it. */
async function wantedOf(world: ContentsWorld, recipient: Recipient): Promise<ReadonlyMap<string, SourcedEntry>> {
  const contents = recipient.session.contents === undefined ? null : await world.contents.find(recipient.hand.session);
  const sources = (['session', 'thread'] as const).flatMap((part) =>
    SOURCES[part].map((source) => ({ part, source: source(world, { ...recipient, contents }) })),
  );
  const listed = await Promise.all(sources.map(async (one) => ({ ...one, entries: await one.source.entries() })));
  const wanted = new Map<string, SourcedEntry>();
  for (const { part, source, entries } of listed) {
    for (const entry of entries) {
      const isPlaceless = wanted.has(entry.path) || contentPathFault(entry.path) !== null;
      if (!isPlaceless) wanted.set(entry.path, { part, entry, source });
    }
  }
  return wanted;
}

/** In order, and without what is missing. */
async function* parcelsOf(
  lacking: readonly SourcedEntry[],
  onMissing: (missing: SourcedEntry) => void,
): AsyncIterable<Parcel> {
  const begin = ({ entry, source }: SourcedEntry) => {
    const read = source.read(entry);
    // It is awaited in its turn; until then its failure must not count as unhandled.
    read.catch(() => undefined);
    return read;
  };
  const begun = lacking.slice(0, AHEAD).map(begin);
  for (const [index, sourced] of lacking.entries()) {
    const content = (await begun[index]) ?? null;
    const next = lacking[index + AHEAD];
    if (next !== undefined) begun.push(begin(next));
    if (content === null) onMissing(sourced);
    else yield { entry: sourced.entry, content };
  }
}
