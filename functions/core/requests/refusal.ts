/** A refused request, as a value: the contract's error type and a message for the client, without any content of theirs. */
import type { ErrorType } from '#contract/errors.ts';

export interface RequestRefusal {
  readonly refused: ErrorType;
  readonly message: string;
}

export function refuse(refused: ErrorType, message: string): RequestRefusal {
  return { refused, message };
}

export function isRefusal(value: unknown): value is RequestRefusal {
  return typeof value === 'object' && value !== null && 'refused' in value;
}
