/** From the pieces of a streaming answer to preview frames: what was shown is always the beginning of what will be said. */
import type { EventId } from '#contract/ids.ts';
import type { EventDelta, PreviewedType, PreviewFrame } from '#contract/previews.ts';
import type { AnswerIds } from '#core/session/commands.ts';

export type Piece =
  | { readonly type: 'thinking' }
  /** `block` counts the answer's text blocks in order. */
  | { readonly type: 'text'; readonly block: number; readonly text: string };

interface Shown {
  readonly started: readonly PreviewedType[];
  /** Text blocks with something to show so far. Blank ones do not count, for the message leaves them out. */
  readonly texts: number;
  readonly open: OpenBlock;
}

interface OpenBlock {
  readonly block: number;
  /** Its index in the message; null while it is blank. */
  readonly index: number | null;
  /** Not shown yet: blank so far, or half a surrogate pair at the end. */
  readonly held: string;
}

export const NOTHING_SHOWN: Shown = { started: [], texts: 0, open: { block: -1, index: null, held: '' } };

/** Of one frame's text; a character is six bytes at most. */
export const MAX_FRAME_CHARS = 2000;

export function show(
  shown: Shown,
  piece: Piece,
  ids: AnswerIds,
): { readonly shown: Shown; readonly frames: readonly PreviewFrame[] } {
  if (piece.type === 'thinking') {
    return { shown: started(shown, 'agent.thinking'), frames: starting(shown, 'agent.thinking', ids.thinking) };
  }
  // A block that is over has nothing to wait for.
  const rest = piece.block === shown.open.block ? [] : deltas(shown.open, shown.open.held, ids);
  const open = piece.block === shown.open.block ? shown.open : { block: piece.block, index: null, held: '' };
  const text = open.held + piece.text;
  if (open.index === null && text.trim() === '') {
    return { shown: { ...shown, open: { ...open, held: text } }, frames: rest };
  }
  const shownTo = completeLength(text);
  const index = open.index ?? shown.texts;
  const now = { ...open, index, held: text.slice(shownTo) };
  return {
    shown: { ...started(shown, 'agent.message'), texts: index + 1, open: now },
    frames: [...rest, ...starting(shown, 'agent.message', ids.message), ...deltas(now, text.slice(0, shownTo), ids)],
  };
}

function started(shown: Shown, type: PreviewedType): Shown {
  return shown.started.includes(type) ? shown : { ...shown, started: [...shown.started, type] };
}

function starting(shown: Shown, type: PreviewedType, id: EventId): readonly PreviewFrame[] {
  return shown.started.includes(type) ? [] : [{ type: 'event_start', event: { type, id } }];
}

function deltas({ index }: Pick<OpenBlock, 'index'>, text: string, ids: AnswerIds): readonly EventDelta[] {
  if (index === null || text === '') return [];
  const shownTo = text.length <= MAX_FRAME_CHARS ? text.length : completeLength(text.slice(0, MAX_FRAME_CHARS));
  const content = { type: 'text' as const, text: text.slice(0, shownTo) };
  return [
    { type: 'event_delta', event_id: ids.message, delta: { type: 'content_delta', index, content } },
    ...deltas({ index }, text.slice(shownTo), ids),
  ];
}

/** Half a surrogate pair is no character, so a last one waits for its other half. */
function completeLength(text: string): number {
  return /[\uD800-\uDBFF]$/.test(text) ? text.length - 1 : text.length;
}

/** Adds frames to those that wait to be written; text of the same block becomes one frame as long as it is short. */
export function join(waiting: readonly PreviewFrame[], frames: readonly PreviewFrame[]): readonly PreviewFrame[] {
  return frames.reduce<readonly PreviewFrame[]>((joined, frame) => {
    const last = joined.at(-1);
    const both = last === undefined ? null : merged(last, frame);
    return both === null ? [...joined, frame] : [...joined.slice(0, -1), both];
  }, waiting);
}

function merged(one: PreviewFrame, two: PreviewFrame): EventDelta | null {
  if (one.type !== 'event_delta' || two.type !== 'event_delta' || one.delta.index !== two.delta.index) return null;
  const text = one.delta.content.text + two.delta.content.text;
  if (text.length > MAX_FRAME_CHARS) return null;
  return { ...one, delta: { ...one.delta, content: { type: 'text', text } } };
}
