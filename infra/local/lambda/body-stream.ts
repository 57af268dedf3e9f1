import { Readable } from 'node:stream';
import { InvocationError } from './failure.ts';
import type { FunctionFailure } from './messages.ts';
import type { InvocationListener, Outcome } from './start-worker.ts';

/** The answer of a streaming function: its metadata, then its body as it is written. */
export interface StreamedAnswer {
  readonly metadata: unknown;
  /** When it is destroyed, the function goes on, as in Lambda: what it writes is taken and dropped. */
  readonly body: Readable;
}

interface StreamedInvocation {
  readonly answer: Promise<StreamedAnswer>;
  readonly listener: InvocationListener;
}

/** Without metadata before the first byte there is no HTTP answer to give; Lambda's callers treat that as a failure. */
export function createStreamedInvocation(): StreamedInvocation {
  const { promise, resolve, reject } = Promise.withResolvers<StreamedAnswer>();
  let takeNext: (() => void) | null = null;
  let ended = false;
  const takeWaiting = (): void => {
    const taken = takeNext;
    takeNext = null;
    taken?.();
  };
  const body = new Readable({
    read: takeWaiting,
    destroy(error, done) {
      takeWaiting();
      done(error);
    },
  });
  // The gateway, which reads the body, gets the error from it; before there is a body, `answer` rejects with the error.
  body.on('error', () => undefined);
  const fail = (failure: FunctionFailure): void => {
    const error = new InvocationError(failure);
    reject(error);
    if (!ended) body.destroy(error);
    ended = true;
  };
  return {
    answer: promise,
    listener: {
      head: (metadata) => resolve({ metadata: JSON.parse(metadata) as unknown, body }),
      chunk(bytes, taken) {
        if (body.destroyed || bytes.length === 0 || body.push(bytes)) return taken();
        takeNext = taken;
      },
      end() {
        ended = true;
        body.push(null);
      },
      done: (outcome: Outcome) => fail('failure' in outcome ? outcome.failure : UNFINISHED),
    },
  };
}

/** The failure of a function that returns without ending its stream, or without having written to it. */
const UNFINISHED: FunctionFailure = {
  name: 'Runtime.InvalidStreamingResponse',
  message: 'The function returned without writing to and ending a stream made by HttpResponseStream.from.',
  stack: [],
};
