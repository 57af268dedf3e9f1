/** Writes previews of one answer while it streams, for the streams that asked for them; the answer never waits for it. */
import type { EventId } from '#contract/ids.ts';
import type { PreviewFrame } from '#contract/previews.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import type { Ports } from '#core/ports/ports.ts';
import { join, NOTHING_SHOWN, show, type Piece } from '#core/previews/show.ts';
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
 * Whether anybody wants previews is read once, now. A write that fails ends them, because what comes after it would have
 * a gap before it. Chunks are found under the request, so those of a request that was never claimed are never seen.
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
