/** What the stores of secrets share: fields, and faults that never quote a secret. */
import { Fault } from '#core/ports/errors.ts';
import { SecretField, type SecretValues } from '#core/ports/secrets.ts';
import type { CredentialPlace } from '#core/ports/vault-records.ts';

/** Where a pointer leads: it begins with one of these and a colon. */
export type Store = 'secrets-manager' | 'dynamodb-kms';

/** The fields that are there, in one order. */
export function fieldsOf(fields: SecretValues): readonly (readonly [SecretField, string])[] {
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

/** Without a cause: a parser's error quotes what it refuses. */
export function secretInvalid(place: CredentialPlace, why: string): never {
  throw new Fault('stored_data_invalid', `a secret of credential ${place.credential} ${why}`);
}
