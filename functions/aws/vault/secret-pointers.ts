/** Fields of secrets, and faults that never quote a secret, for all stores. */
import { Fault } from '#core/ports/errors.ts';
import { SecretField, type SecretValues } from '#core/ports/secrets.ts';
import type { CredentialPlace } from '#core/ports/vault-records.ts';

/** A pointer begins with the name of its store and a colon. */
export type Store = 'secrets-manager' | 'dynamodb-kms';

/** The fields that are present, in one order. */
export function secretFields(fields: SecretValues): readonly (readonly [SecretField, string])[] {
  return SecretField.options.flatMap((field) => {
    const text = fields[field];
    return text === undefined ? [] : [[field, text] as const];
  });
}

export function storeOf(pointer: string): string {
  return pointer.slice(0, pointer.indexOf(':'));
}

export function secretUnavailable(place: CredentialPlace, done: 'stored' | 'read' | 'removed') {
  return (cause: unknown): never => {
    const message = `the secrets of credential ${place.credential} could not be ${done}`;
    throw new Fault('secret_unavailable', message, { cause });
  };
}

/** It has no cause, because a parser's error quotes the text that it refuses. */
export function secretInvalid(place: CredentialPlace, why: string): never {
  throw new Fault('stored_data_invalid', `a secret of credential ${place.credential} ${why}`);
}
