/** Faults are thrown when a port could not do its work. Refusals of a request are values, and tool failures are events. */
import type { ErrorEnvelope, ErrorType } from '#contract/errors.ts';

const FAULTS = {
  setting_missing: { retryable: false },
  secret_unavailable: { retryable: true },
  stored_data_invalid: { retryable: false },
  session_gone: { retryable: false },
  log_unavailable: { retryable: true },
  records_unavailable: { retryable: true },
  previews_unavailable: { retryable: true },
  content_unavailable: { retryable: true },
  run_not_started: { retryable: true },
  sandbox_not_ready: { retryable: true },
  sandbox_not_released: { retryable: true },
  sandbox_lost: { retryable: false },
  model_overloaded: { retryable: true },
  model_rate_limited: { retryable: true },
  model_unreachable: { retryable: true },
  /** Because of credentials, the model's name or the account, and not of the session's content. */
  model_refused_request: { retryable: false },
  /** Because of the session's content. */
  model_refused_input: { retryable: false },
  /** The request is larger than the provider, or the model's window, takes. */
  model_input_too_large: { retryable: false },
  model_billing: { retryable: false },
  mcp_proxy_unavailable: { retryable: true },
  audit_unavailable: { retryable: true },
  /** The customer's identity provider. */
  login_unavailable: { retryable: true },
} as const;

export type FaultCode = keyof typeof FAULTS;

interface FaultOptions {
  readonly cause?: unknown;
  readonly retryAfterSeconds?: number | null;
  readonly detail?: string | null;
  readonly path?: string | null;
}

/** Carries a stable `code`; the message names the thing and the rule, never a secret or user content. */
export class Fault extends Error {
  override readonly name = 'Fault';
  readonly code: FaultCode;
  readonly retryAfterSeconds: number | null;
  /** For the log line: hosts and rules that an operator can act on, and nothing else. */
  readonly detail: string | null;
  /** The place in the request that the other side refuses, in its own words: names of fields and numbers alone. */
  readonly path: string | null;

  constructor(code: FaultCode, message: string, options: FaultOptions = {}) {
    super(message, { cause: options.cause });
    this.detail = options.detail ?? null;
    this.path = options.path ?? null;
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds ?? null;
  }

  /** Whether the same call can succeed later. */
  get retryable(): boolean {
    return FAULTS[this.code].retryable;
  }
}

/** The error class of a log line: a fault's code, or the exception's name. */
export function errorClass(error: unknown): string {
  if (error instanceof Fault) return error.code;
  return error instanceof Error ? error.name : 'unknown';
}

/** A refused request, as a value: the contract's error type and a message for the client, without any content of theirs. */
export interface RequestRefusal {
  readonly status: 'refused';
  readonly type: ErrorType;
  readonly message: string;
  readonly errorCode?: string;
  /** When a repeat can succeed, at least 1. */
  readonly retryAfterSeconds?: number;
  /** Fields of the error beside its message. */
  readonly fields?: Pick<ErrorEnvelope['error'], 'conflicting_memory_id' | 'conflicting_path'>;
}

/** `errorCode` is for rules that the contract names; the message begins with it. */
export function refuse(type: ErrorType, message: string, errorCode?: string): RequestRefusal {
  const refusal = { status: 'refused', type } as const;
  return errorCode === undefined
    ? { ...refusal, message }
    : { ...refusal, message: `${errorCode}: ${message}`, errorCode };
}

export function isRefusal(value: unknown): value is RequestRefusal {
  return typeof value === 'object' && value !== null && 'status' in value && value.status === 'refused';
}
