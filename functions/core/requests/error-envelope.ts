/** A refusal or a fault as a response. Its status comes from `ERROR_STATUS` only. */
import { ERROR_STATUS, type ErrorEnvelope } from '#contract/errors.ts';
import { Fault, refuse, type RequestRefusal } from '#core/ports/errors.ts';

export interface ErrorReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ErrorEnvelope;
}

export function replyToRefusal(refusal: RequestRefusal, requestId: string): ErrorReply {
  return {
    status: ERROR_STATUS[refusal.type],
    headers: {
      // SDKs repeat a request after 409, but a repeat does not resolve the conflicts of this service.
      ...(ERROR_STATUS[refusal.type] === 409 && { 'x-should-retry': 'false' }),
      ...(refusal.retryAfterSeconds !== undefined && { 'retry-after': String(refusal.retryAfterSeconds) }),
    },
    body: envelope(refusal, requestId),
  };
}

/** The response names the request's id only, under which the log has the fault and its message. */
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

function envelope({ type, message, errorCode, fields }: RequestRefusal, requestId: string): ErrorEnvelope {
  const details = errorCode === undefined ? {} : { details: { error_code: errorCode } };
  return { type: 'error', error: { type, message, ...fields, ...details }, request_id: requestId };
}
