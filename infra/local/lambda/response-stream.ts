/**
 * Lambda response streaming, seen from inside the function: the `awslambda` global and the stream it hands out.
 *
 * As in Lambda, the metadata given to `HttpResponseStream.from` travels with the first write, not before it: a function
 * that wants its headers out at once must write at least an empty string.
 */
import { Writable } from 'node:stream';
import type { FromWorker } from './messages.ts';

/** The marks that Lambda's runtime puts on a streaming handler. */
const HANDLER_STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const STREAM_RESPONSE = 'response';
const METADATA = Symbol('metadata');

const HIGH_WATER_MARK_BYTES = 64 * 1024;

type MarkedHandler = ((...args: unknown[]) => unknown) & { [HANDLER_STREAMING]?: string };
type MarkedStream = Writable & { [METADATA]?: string };

export interface ResponseStream {
  readonly stream: Writable;
  readonly closed: Promise<void>;
  /** The reader took the last chunk. */
  taken(): void;
}

export function installStreaming(): void {
  Object.assign(globalThis, {
    awslambda: {
      streamifyResponse: (handler: MarkedHandler) => Object.assign(handler, { [HANDLER_STREAMING]: STREAM_RESPONSE }),
      HttpResponseStream: { from: attachMetadata },
    },
  });
}

export function isStreaming(handler: MarkedHandler): boolean {
  return handler[HANDLER_STREAMING] === STREAM_RESPONSE;
}

/** One chunk is on its way at a time: the reader's pace becomes the writer's. */
export function createResponseStream(post: (message: FromWorker) => void): ResponseStream {
  let release: ((error?: Error) => void) | null = null;
  const stream: MarkedStream = new Writable({
    highWaterMark: HIGH_WATER_MARK_BYTES,
    writev(writes, done) {
      release = done;
      postHead(stream, post);
      post({ type: 'chunk', bytes: Buffer.concat(writes.map((write) => write.chunk as Buffer)) });
    },
    final(done) {
      post({ type: 'end' });
      done();
    },
    destroy(error, done) {
      release?.(error ?? new Error('The invocation of the response stream has failed.'));
      done(error);
    },
  });
  // A stream that is destroyed because its invocation failed is not a crash of the function too.
  stream.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => stream.once('close', resolve));
  return {
    stream: Object.assign(stream, { setContentType: () => undefined }),
    closed,
    taken() {
      const done = release;
      release = null;
      done?.();
    },
  };
}

function attachMetadata(stream: MarkedStream, metadata: unknown): Writable {
  stream[METADATA] = JSON.stringify(metadata);
  return stream;
}

function postHead(stream: MarkedStream, post: (message: FromWorker) => void): void {
  const metadata = stream[METADATA];
  if (metadata === undefined) return;
  delete stream[METADATA];
  post({ type: 'head', metadata });
}
