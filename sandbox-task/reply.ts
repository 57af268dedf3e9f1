import type { CancelResponse, ExecuteError, ExecuteResponse } from '../functions/contract/hands.ts';
import { MAX_BODY_BYTES } from './body.ts';

const STATUS_BY_ERROR = {
  invalid_request: 400,
  unauthorized: 401,
  not_found: 404,
  call_mismatch: 409,
  request_too_large: 413,
  archive_invalid: 422,
  packages_awaited: 425,
  results_awaited: 425,
  calls_awaited: 425,
  internal: 500,
  stopping: 503,
  result_not_kept: 507,
} as const;

export interface Reply {
  readonly status: number;
  readonly body:
    | ExecuteResponse
    | CancelResponse
    | ExecuteError
    | { readonly status: 'ready' | 'stopping' | 'taken' | 'kept' };
}

export function refusal(error: keyof typeof STATUS_BY_ERROR, message: string): Reply {
  return { status: STATUS_BY_ERROR[error], body: { error, message } };
}

export function awaiting(error: 'results_awaited' | 'calls_awaited', message: string, calls: readonly string[]): Reply {
  return { status: STATUS_BY_ERROR[error], body: { error, message, calls: [...calls] } };
}

export function tooLarge(): Reply {
  return refusal('request_too_large', `the body is longer than ${MAX_BODY_BYTES} bytes`);
}
