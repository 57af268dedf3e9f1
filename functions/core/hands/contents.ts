/**
 * The one way into a sandbox. Each kind of contents is a source: it names entries for the manifest and gives their bytes.
 * A call names the manifest's version. Only a sandbox that has another one costs anything: it is told the manifest, and is
 * sent in one stream what it lacks.
 */
import { contentPathFault, type ContentEntry } from '#contract/hands.ts';
import type { Consequence, ContentSource, ContentsWorld, Recipient } from '#core/hands/content-source.ts';
import { filesSource } from '#core/hands/files-source.ts';
import { largeResultsSource } from '#core/hands/large-results-source.ts';
import { memorySource } from '#core/hands/memory-source.ts';
import { packagesSource } from '#core/hands/packages-source.ts';
import { skillsSource } from '#core/hands/skills-source.ts';
import type { Parcel } from '#core/ports/sandboxes.ts';

/** All kinds of contents. A kind that is added here adds its ports to `ContentsWorld` and to `aws/worlds/execute.ts`. */
const SOURCES: readonly ((world: ContentsWorld, recipient: Recipient) => ContentSource)[] = [
  packagesSource,
  largeResultsSource,
  filesSource,
  skillsSource,
  memorySource,
];

/**
 * The version of the manifest, which is known without reading anything; null when there is nothing to find. Whatever
 * changes a source's entries changes it: `state.contents` counts changes of files, memory and skills.
 */
export function contentsVersion({ state, sandbox }: Pick<Recipient, 'state' | 'sandbox'>): string | null {
  const { contents, largeResults } = state;
  const parts = [contents, largeResults.at(-1)?.call, sandbox.archive];
  return parts.every((part) => part === undefined || part === null) ? null : parts.join(' ');
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

interface SourcedEntry {
  readonly entry: ContentEntry;
  readonly source: ContentSource;
}

export async function giveContents(world: ContentsWorld, version: string, recipient: Recipient): Promise<Given> {
  const { sandbox } = recipient;
  const wanted = await wantedOf(world, recipient);
  const entries = [...wanted.values()].map(({ entry }) => entry);
  const expected = await world.sandboxClient.expect(sandbox, { version, entries });
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
  for (const { path, reason } of put.refused) {
    const refused = wanted.get(path);
    if (refused !== undefined) consequences.push(refused.source.without(refused.entry, { why: 'refused', reason }));
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
  const contents = recipient.state.contents === undefined ? null : await world.contents.find(recipient.key.session);
  const sources = SOURCES.map((source) => source(world, { ...recipient, contents }));
  const listed = await Promise.all(sources.map(async (source) => ({ source, entries: await source.entries() })));
  const wanted = new Map<string, SourcedEntry>();
  for (const { source, entries } of listed) {
    for (const entry of entries) {
      const isPlaceless = wanted.has(entry.path) || contentPathFault(entry.path) !== null;
      if (!isPlaceless) wanted.set(entry.path, { entry, source });
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
