import type {
  CancelResponse,
  ChangesResponse,
  ContentsResponse,
  ExecuteError,
  ExecuteResponse,
  ManifestResponse,
} from '../functions/contract/hands.ts';
import { MAX_BODY_BYTES } from './body.ts';

const STATUS_BY_ERROR = {
  invalid_request: 400,
  unauthorized: 401,
  not_found: 404,
  call_mismatch: 409,
  file_changed: 409,
  request_too_large: 413,
  contents_awaited: 425,
  calls_awaited: 425,
  repositories_awaited: 425,
  way_out_awaited: 425,
  internal: 500,
  stopping: 503,
} as const;

export interface Reply {
  readonly status: number;
  readonly body:
    | ExecuteResponse
    | CancelResponse
    | ExecuteError
    | ManifestResponse
    | ContentsResponse
    | ChangesResponse
    | { readonly status: 'ready' | 'stopping' | 'kept' };
}

/** Bytes of a file; `body` fails when they are no longer those that were asked for. */
export interface BytesReply {
  readonly bytes: number;
  readonly body: AsyncIterable<Buffer>;
}

export function refusal(error: keyof typeof STATUS_BY_ERROR, message: string): Reply {
  return { status: STATUS_BY_ERROR[error], body: { error, message } };
}

export function awaitingCalls(calls: readonly string[]): Reply {
  const body = { error: 'calls_awaited', message: 'earlier calls have to end first', calls: [...calls] };
  return { status: STATUS_BY_ERROR.calls_awaited, body };
}

export function awaitingWayOut(unreachable: string | null): Reply {
  const body = { error: 'way_out_awaited', message: 'programs wait for the egress proxy' };
  return { status: STATUS_BY_ERROR.way_out_awaited, body: { ...body, ...(unreachable !== null && { unreachable }) } };
}

export function tooLarge(): Reply {
  return refusal('request_too_large', `the body is longer than ${MAX_BODY_BYTES} bytes`);
}
