/**
 * The client's end of a stream. It takes text at the client's pace, and goes on to take it when the client has left, of
 * which Lambda does not tell. The text is frames of server-sent events; each has a name, because clients drop a frame
 * without one.
 */
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { ErrorEnvelope } from '#contract/errors.ts';
import type { StreamFrame } from '#contract/previews.ts';

export interface Sink {
  /** Resolves when more can be taken. */
  write(text: string): Promise<void>;
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

export function eventFrame(event: StreamFrame): string {
  return frame(event.type, event);
}

export function errorFrame(envelope: ErrorEnvelope): string {
  return frame('error', envelope);
}

/** JSON has no raw line ends, so one data line holds it. */
function frame(name: string, body: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(body)}\n\n`;
}
