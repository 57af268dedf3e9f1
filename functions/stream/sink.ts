/**
 * The client's end of a stream: it takes text at the client's pace and tells when the client has left. The text is
 * frames of server-sent events; each has a name, because clients drop a frame without one.
 */
import { once, type EventEmitter } from 'node:events';
import type { Writable } from 'node:stream';
import type { ErrorEnvelope } from '#contract/errors.ts';
import type { StreamFrame } from '#contract/previews.ts';

export interface Sink {
  /** False once the client has left. */
  readonly isOpen: () => boolean;
  /** Resolves when the client can take more, or has left. */
  write(text: string): Promise<void>;
  end(): void;
}

export function createSink(writable: Writable): Sink {
  const gone = new AbortController();
  const leave = () => gone.abort();
  writable.on('close', leave);
  // Writing to a client that has left is an error of the stream; it ends the loop and is not reported.
  writable.on('error', leave);
  return {
    isOpen: () => !gone.signal.aborted,
    async write(text) {
      if (gone.signal.aborted || writable.write(text)) return;
      await drained(writable, gone.signal);
    },
    end: () => void (gone.signal.aborted || writable.end()),
  };
}

async function drained(writable: EventEmitter, gone: AbortSignal): Promise<void> {
  try {
    await once(writable, 'drain', { signal: gone });
  } catch (error) {
    if (!gone.aborted) throw error;
  }
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
