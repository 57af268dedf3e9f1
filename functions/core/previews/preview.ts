/** Writes previews of one answer while it streams, for the streams that asked for them; the answer never waits for it. */
import type { EventId } from '#contract/ids.ts';
import type { PreviewFrame, EventDelta, PreviewedType } from '#contract/previews.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { AnswerIds } from '#core/session/commands.ts';

interface Preview {
  /** `block` counts the answer's text blocks in order. */
  onText(block: number, text: string): void;
  onThinking(): void;
  /** Nothing is written any more. Resolves when nothing is under way, which a function may not leave behind. Never rejects. */
  end(): Promise<void>;
}

/** A write costs as much as a kilobyte, and text that is a tenth of a second late is still read as it appears. */
const COALESCE_MS = 100;
/** With frames of the longest text, half of what an item may hold. */
export const MAX_CHUNK_FRAMES = 16;

/**
 * Whether a stream wants previews is read once, at the start. A write that fails ends them, because later chunks would
 * come after a gap. Chunks are found under the request, so those of a request that was never claimed are never seen.
 */
export function createPreview(
  ports: Pick<Ports, 'previews' | 'stamp' | 'pause'>,
  key: LogKey,
  { request, ids }: { readonly request: EventId; readonly ids: AnswerIds },
): Preview {
  let status: 'over' | 'resting' | 'writing' = 'resting';
  let shown = NOTHING_SHOWN;
  let waiting: readonly PreviewFrame[] = [];
  let sequence = 0;
  const isOver = () => status === 'over';
  const finish = () => {
    status = 'over';
    waiting = [];
  };
  let underWay: Promise<void> = ports.previews
    .isSubscribed(key, ports.stamp.now())
    .then((wanted) => (wanted ? undefined : finish()), finish);

  function hear(piece: Piece): void {
    if (isOver()) return;
    const next = show(shown, piece, ids);
    shown = next.shown;
    waiting = join(waiting, next.frames);
    if (waiting.length > 0 && status === 'resting') void writeAll();
  }

  async function writeAll(): Promise<void> {
    status = 'writing';
    await underWay;
    while (!isOver() && waiting.length > 0) {
      underWay = writeChunk();
      await Promise.all([underWay, ports.pause(COALESCE_MS)]);
    }
    if (!isOver()) status = 'resting';
  }

  function writeChunk(): Promise<void> {
    const frames = waiting.slice(0, MAX_CHUNK_FRAMES);
    waiting = waiting.slice(MAX_CHUNK_FRAMES);
    sequence += 1;
    return ports.previews.write(key, { request, sequence, at: ports.stamp.now(), frames }).catch(finish);
  }

  return {
    onText: (block, text) => hear({ type: 'text', block, text }),
    onThinking: () => hear({ type: 'thinking' }),
    async end() {
      finish();
      await underWay;
    },
  };
}

/** What was shown is always the beginning of what will be said. */
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
