/** The client's end of a stream: takes text at the client's pace and tells when the client has left. */
import { once, type EventEmitter } from 'node:events';
import type { Writable } from 'node:stream';

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
