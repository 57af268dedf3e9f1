/** Secrets in memory, for tests that check which credential has stored secrets. */
import { Fault } from '#core/ports/errors.ts';
import { SecretField, type SecretReader, type SecretValues, type SecretWriter } from '#core/ports/secrets.ts';

export interface MemorySecrets extends SecretReader, SecretWriter {
  /** The credentials that have a stored secret. */
  held(): readonly string[];
  /** The number of stored versions of a credential. */
  versions(credential: string): number;
}

export function createMemorySecrets(): MemorySecrets {
  const versions = new Map<string, readonly SecretValues[]>();
  return {
    async write({ credential }, _type, values) {
      const written = [...(versions.get(credential) ?? []), values];
      versions.set(credential, written);
      const fields = SecretField.options.filter((field) => values[field] !== undefined);
      return Object.fromEntries(fields.map((field) => [field, `memory:${written.length}`]));
    },
    async remove({ credential }) {
      versions.delete(credential);
    },
    async read({ credential }, pointers) {
      const fields = SecretField.options.filter((field) => pointers[field] !== undefined);
      const values = fields.map((field) => {
        const value = versions.get(credential)?.[Number(pointers[field]?.split(':')[1]) - 1]?.[field];
        if (value === undefined) throw new Fault('secret_unavailable', `the version of ${field} is gone`);
        return [field, value];
      });
      return Object.fromEntries(values);
    },
    held: () => [...versions.keys()],
    versions: (credential) => versions.get(credential)?.length ?? 0,
  };
}
