import type { FunctionFailure } from './messages.ts';

/** A failed invocation: `name` is Lambda's error type, as Step Functions matches it. */
export class InvocationError extends Error {
  readonly stackTrace: readonly string[];

  constructor(failure: FunctionFailure) {
    super(failure.message);
    this.name = failure.name;
    this.stackTrace = failure.stack;
  }
}

/** The process under the function ended: killed, out of memory, or by its own doing. */
export function diedFailure(reason: string): FunctionFailure {
  return { name: 'Lambda.Unknown', message: `The function's process ended: ${reason}.`, stack: [] };
}

export function timedOutFailure(timeoutMs: number): FunctionFailure {
  const seconds = (timeoutMs / 1000).toFixed(2);
  return { name: 'Sandbox.Timedout', message: `Task timed out after ${seconds} seconds`, stack: [] };
}

export function throttledFailure(limit: number): FunctionFailure {
  const message = `Rate Exceeded: ${limit} functions run at once, which is the limit.`;
  return { name: 'Lambda.TooManyRequestsException', message, stack: [] };
}

export function tooLargeFailure(
  name: 'RequestEntityTooLargeException' | 'Function.ResponseSizeTooLarge',
): FunctionFailure {
  return { name, message: 'Events and answers of a function are at most 6 MB of JSON.', stack: [] };
}

export const NOT_BUFFERED: FunctionFailure = {
  name: 'Runtime.InvalidStreamingResponse',
  message: 'The function streams its answer and was invoked for a buffered one.',
  stack: [],
};
