/** What travels between the pool and a worker thread. One invocation at a time, as in Lambda. */

export interface WorkerSettings {
  /** Where Node.js keeps what it compiles of the functions, for the next worker and the next start. */
  readonly compileCache: string | undefined;
}

export type ToWorker =
  | {
      readonly type: 'invoke';
      readonly requestId: string;
      readonly functionArn: string;
      readonly traceId: string;
      readonly deadlineMs: number;
      /** The event as JSON text: a function never shares an object with its caller. */
      readonly event: string;
    }
  /** The last chunk was taken; the next one may be sent. */
  | { readonly type: 'taken' };

export type FromWorker =
  | { readonly type: 'ready'; readonly initMs: number }
  | { readonly type: 'unready'; readonly failure: FunctionFailure }
  | { readonly type: 'head'; readonly metadata: string }
  | { readonly type: 'chunk'; readonly bytes: Uint8Array }
  | { readonly type: 'end' }
  | { readonly type: 'result'; readonly body: string }
  | { readonly type: 'failed'; readonly failure: FunctionFailure };

/** An error as Lambda reports it: `name` is the error type that callers match on. */
export interface FunctionFailure {
  readonly name: string;
  readonly message: string;
  readonly stack: readonly string[];
}
