/** A refused request, as a value: the contract's error type and a message for the client, without any content of theirs. */
import type { ErrorType } from '#contract/errors.ts';

export interface RequestRefusal {
  readonly status: 'refused';
  readonly type: ErrorType;
  readonly message: string;
  readonly errorCode?: string;
  /** When a repeat can succeed, at least 1. */
  readonly retryAfterSeconds?: number;
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
