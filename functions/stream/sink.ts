/**
 * The client's end of a stream. It takes text at the client's pace, and goes on to take it when the client has left, of
 * which Lambda does not tell. A stream of events is frames; each has a name, because clients drop a frame
 * without one.
 */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { ErrorEnvelope } from '#contract/errors.ts';
import type { StreamFrame } from '#contract/previews.ts';

export interface Sink {
  /** Resolves when more can be taken. */
  write(text: string | Uint8Array): Promise<void>;
  end(): void;
}

export function createSink(writable: Writable): Sink {
  return {
    async write(text) {
      if (writable.destroyed || writable.write(text)) return;
      await once(writable, 'drain');
    },
    end: () => void writable.end(),
  };
}

/** Ignored by clients; makes proxies pass the headers on at once. */
export const OPENING = ': open\n\n';

export const PING = frame('ping', { type: 'ping' });

/** The names of a stream's frames: their events' types, or `message` for each. */
export type FrameNames = 'types' | 'message';

/**
 * SDKs drop frames whose name is not in a list of theirs. TypeScript and Python before 1.0 and every Go version lack some
 * or all types of events, and have `message`, which every later version takes too.
 */
export function frameNames(header: (name: string) => string | null): FrameNames {
  const language = header('x-stainless-lang');
  if (language === 'go') return 'message';
  const isOld = header('x-stainless-package-version')?.startsWith('0.') === true;
  return isOld && (language === 'js' || language === 'python') ? 'message' : 'types';
}

export function eventFrame(event: StreamFrame, names: FrameNames): string {
  return frame(names === 'message' ? names : event.type, event);
}

export function errorFrame(envelope: ErrorEnvelope): string {
  return frame('error', envelope);
}

/** JSON has no raw line ends, so one data line holds it. */
function frame(name: string, body: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(body)}\n\n`;
}
