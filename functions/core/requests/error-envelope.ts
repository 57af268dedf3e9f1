/** How a refusal or a fault looks on the wire. Status comes from the one table, and from nowhere else. */
import { ERROR_STATUS, type ErrorEnvelope } from '#contract/errors.ts';
import { Fault } from '#core/ports/errors.ts';
import { refuse, type RequestRefusal } from '#core/ports/refusal.ts';

export interface ErrorReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ErrorEnvelope;
}

export function replyToRefusal(refusal: RequestRefusal, requestId: string): ErrorReply {
  return {
    status: ERROR_STATUS[refusal.type],
    headers: {
      // Clients retry 409 by themselves; ours are about facts that a repeat does not change.
      ...(refusal.type === 'conflict_error' && { 'x-should-retry': 'false' }),
      ...(refusal.retryAfterSeconds !== undefined && { 'retry-after': String(refusal.retryAfterSeconds) }),
    },
    body: envelope(refusal, requestId),
  };
}

/** Nothing of the fault is told but where to look it up: its message is for the log's readers. */
export function replyToFault(error: unknown, requestId: string): ErrorReply {
  if (error instanceof Fault && error.code === 'session_gone') {
    return replyToRefusal(refuse('not_found_error', 'session_id: there is no such session'), requestId);
  }
  const message = `an internal error occurred; it is logged as ${requestId}`;
  return {
    status: ERROR_STATUS.api_error,
    headers: error instanceof Fault && !error.retryable ? { 'x-should-retry': 'false' } : {},
    body: envelope(refuse('api_error', message), requestId),
  };
}

function envelope({ type, message, errorCode }: RequestRefusal, requestId: string): ErrorEnvelope {
  const details = errorCode === undefined ? {} : { details: { error_code: errorCode } };
  return { type: 'error', error: { type, message, ...details }, request_id: requestId };
}
