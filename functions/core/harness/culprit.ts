/**
 * The search for what the provider refuses in a request, one attempt after the other. Each attempt leaves something else
 * out, and what was left out when the model answers was to blame: later requests leave it out, too (`context.ts`). When
 * nothing helps, the request was refused for another reason, and all of it comes back.
 */
import { recordIn, type Entry, type RecordOf } from '#contract/entries.ts';
import { endsTurnOf } from '#core/model/slice.ts';
import { admitted, blockPart, leftOutIn, toolPart } from '#core/harness/context.ts';
import { blocksIn, isAttachment, type Admitted, type Part } from '#core/harness/gate.ts';
import type { ContentBlock } from '#core/ports/model.ts';

/** What the next attempt leaves out: the part that the provider named, and parts that may be to blame. */
interface LeaveOut {
  readonly named: string | null;
  readonly tried: readonly string[];
}

/** From this refusal with a name on, all that is like the named part is left out. */
const NAMED_ALIKE = 3;

/** `path`: the provider's path of what it refuses. Null when no further attempt can help. */
export function leaveOut(entries: readonly Entry[], path: string | null): LeaveOut | null {
  const before = refusalsIn(entries);
  const found = leftOutIn(entries, 'without trials');
  const named = namedPart(entries, path);
  if (named !== null && !found.has(named.name)) {
    const isRepeated = before.filter((refusal) => refusal.named !== null).length + 1 >= NAMED_ALIKE;
    const alike = isRepeated
      ? suspectsIn(admitted(entries, found)).filter(({ block }) => isAlike(block, named.block))
      : [];
    return { named: named.name, tried: [...(before.at(-1)?.tried ?? []), ...namesOf(alike)] };
  }
  const attempts = attemptsAt(suspectsIn(admitted(entries, found)));
  const tried = attempts[before.filter((refusal) => refusal.named === null).length];
  return tried === undefined ? null : { named: null, tried };
}

/** The refusals since the model last answered or the turn began. */
function refusalsIn(entries: readonly Entry[]): readonly RecordOf<'model.refused'>[] {
  const endsTurn = endsTurnOf(entries);
  const start = entries.findLastIndex((entry) => recordIn(entry)?.kind === 'model.answered' || endsTurn(entry));
  return entries.slice(start + 1).flatMap((entry) => {
    const record = recordIn(entry);
    return record?.kind === 'model.refused' ? [record] : [];
  });
}

interface Suspect {
  readonly name: string;
  readonly block: ContentBlock;
  /** No request with it was accepted yet. */
  readonly isNew: boolean;
}

/** Text in the user's own words is never left out at the provider's word alone: its path may be of another request. */
function namedPart(entries: readonly Entry[], path: string | null): Pick<Suspect, 'name' | 'block'> | null {
  if (path === null) return null;
  const { request, said } = admitted(entries, leftOutIn(entries));
  const [list, first, second, third] = path.split('.').filter((word) => word !== 'content' && word !== 'tool_result');
  if (list === 'tools') {
    const tool = request.tools[Number(first)];
    return tool === undefined ? null : { name: toolPart(tool.name), block: { type: 'tool' } };
  }
  const message = said[Number(first)];
  const part = message?.parts[Number(second ?? Number.NaN)];
  if (message === undefined || part === undefined || part.from === null) return null;
  const within = third === undefined ? undefined : blocksIn(part.block)[Number(third)];
  if (part.block.type === 'tool_result' && within !== undefined) {
    return { name: blockPart(part.from, Number(third)), block: within };
  }
  const isSpoken = part.block.type === 'text' && message.role !== 'assistant';
  return isSpoken ? null : { name: part.from, block: part.block };
}

function isAlike(block: ContentBlock, named: ContentBlock): boolean {
  const sourceOf = ({ source }: ContentBlock): unknown => Object(source).type;
  return block.type === named.type && sourceOf(block) === sourceOf(named);
}

function suspectsIn({ said }: Admitted): readonly Suspect[] {
  const answered = said.findLastIndex(({ role }) => role === 'assistant');
  return said.flatMap(({ parts }, index) =>
    parts.flatMap((part) => partsIn(part).map((suspect) => ({ ...suspect, isNew: index > answered }))),
  );
}

function partsIn({ block, from }: Part): readonly Omit<Suspect, 'isNew'>[] {
  if (from === null) return [];
  if (block.type !== 'tool_result') return [{ name: from, block }];
  const within = blocksIn(block).map((one, index) => ({ name: blockPart(from, index), block: one }));
  return [{ name: from, block }, ...within];
}

/**
 * What each attempt leaves out. First attachments, the likeliest alone and then more and more of the others: what is new,
 * then what the provider fetches each time, then what it has accepted before. Then everything but words, and last what
 * was said since the model's last answer. Where there is no attachment, the first attempt leaves out nothing: words alone
 * are refused by an error of the provider rather than for good.
 */
function attemptsAt(suspects: readonly Suspect[]): readonly (readonly string[])[] {
  const attachments = suspects.filter(isMedia).toSorted((one, other) => rankOf(one) - rankOf(other));
  const media = namesOf(attachments);
  const structure = [
    ...media,
    ...namesOf(suspects.filter((suspect) => !isMedia(suspect) && suspect.block.type !== 'text')),
  ];
  const words = [...structure, ...namesOf(suspects.filter(({ isNew, block }) => isNew && block.type === 'text'))];
  const attempts = [media.slice(0, 1), media.slice(1, 3), media.slice(3, 7), media, structure, words];
  const seen = new Set(media.length === 0 ? [] : ['']);
  return attempts.filter((attempt) => {
    const key = attempt.join(' ');
    return !seen.has(key) && seen.add(key);
  });
}

function isMedia({ block }: Suspect): boolean {
  return isAttachment(block) || block.type === 'search_result';
}

function rankOf({ isNew, block }: Suspect): number {
  if (isNew) return 0;
  return Object(block['source']).type === 'url' ? 1 : 2;
}

function namesOf(suspects: readonly Suspect[]): readonly string[] {
  return suspects.map(({ name }) => name);
}
