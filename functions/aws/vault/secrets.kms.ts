/**
 * Secrets sealed in their own pointers, each field under a data key of KMS. The pointers are in the credential's row, so
 * one write of the row puts a new version in force and removes the old one, and a writer that dies leaves nothing behind.
 * A sealed secret is bound to its place, field and version: moved to another row, field or version, it does not open.
 */
import { randomUUID } from 'node:crypto';
import type { KMSClient } from '@aws-sdk/client-kms';
import type { SecretField, SecretReader, SecretWriter } from '#core/ports/secrets.ts';
import type { CredentialPlace } from '#core/ports/vault-records.ts';
import { openText, sealText, type Sealing } from '#aws/vault/sealed-text.kms.ts';
import { secretFields, secretInvalid, secretUnavailable, type Store } from '#aws/vault/secret-pointers.ts';

const STORE: Store = 'dynamodb-kms';

/** `dynamodb-kms:<version>.<sealed data key>.<iv, tag and text>`, the last two in base64url. */
const POINTER = new RegExp(`^${STORE}:([0-9a-f-]{36})\\.([\\w-]+\\.[\\w-]+)$`);

export function createKmsWriter(client: KMSClient, keyArn: string): SecretWriter {
  return {
    async write(place, _type, values) {
      const version = randomUUID();
      const pointers = secretFields(values).map(async ([field, value]) => {
        const sealed = await sealText({ client, keyArn }, sealingOf(place, field, version), value);
        return [field, `${STORE}:${version}.${sealed}`] as const;
      });
      return Object.fromEntries(await Promise.all(pointers));
    },
    /** Nothing is stored outside the row. */
    remove: async () => {},
  };
}

export function createKmsReader(client: KMSClient, keyArn: string): SecretReader {
  return {
    async read(place, pointers) {
      const values = secretFields(pointers).map(
        async ([field, pointer]) => [field, await open(place, field, pointer)] as const,
      );
      return Object.fromEntries(await Promise.all(values));
    },
  };

  function open(place: CredentialPlace, field: SecretField, pointer: string): Promise<string> {
    const [, version, sealed] = POINTER.exec(pointer) ?? [];
    if (version === undefined || sealed === undefined) return secretInvalid(place, `is no ${field}`);
    return openText({ client, keyArn }, sealingOf(place, field, version), sealed);
  }
}

function sealingOf(place: CredentialPlace, field: SecretField, version: string): Sealing {
  const { workspace, vault, credential } = place;
  return {
    context: { app: 'brainstem', ws: workspace, vlt: vault, vcrd: credential, field, version },
    unavailable: (done) => secretUnavailable(place, done),
    invalid: () => secretInvalid(place, `is not its ${field}`),
  };
}
