/**
 * Secrets sealed in their own pointers, each field under a data key of KMS. The pointers are in the credential's row, so
 * one write of the row puts a new version in force and removes the old one, and a writer that dies leaves nothing behind.
 * A sealed secret is bound to its place, field and version, which KMS checks with the key and the cipher with the text:
 * moved to another row, field or version, it does not open.
 */
import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto';
import {
  DecryptCommand,
  GenerateDataKeyCommand,
  IncorrectKeyException,
  InvalidCiphertextException,
  type KMSClient,
} from '@aws-sdk/client-kms';
import type { SecretField, SecretReader, SecretWriter } from '#core/ports/secrets.ts';
import type { CredentialPlace } from '#core/ports/vault-records.ts';
import { secretFields, secretInvalid, secretUnavailable, type Store } from '#aws/vault/secret-pointers.ts';

const STORE: Store = 'dynamodb-kms';
const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** `dynamodb-kms:<version>.<sealed data key>.<iv, tag and text>`, the last two in base64url. */
const POINTER = new RegExp(`^${STORE}:([0-9a-f-]{36})\\.([\\w-]+)\\.([\\w-]+)$`);

interface Sealed {
  readonly place: CredentialPlace;
  readonly field: SecretField;
  readonly version: string;
}

export function createKmsWriter(client: KMSClient, keyArn: string): SecretWriter {
  return {
    async write(place, _type, values) {
      const version = randomUUID();
      const pointers = secretFields(values).map(async ([field, value]) => {
        return [field, await seal({ place, field, version }, value)] as const;
      });
      return Object.fromEntries(await Promise.all(pointers));
    },
    /** Nothing is stored outside the row. */
    remove: async () => {},
  };

  async function seal(sealed: Sealed, value: string): Promise<string> {
    const EncryptionContext = contextOf(sealed);
    const { Plaintext, CiphertextBlob } = await client
      .send(new GenerateDataKeyCommand({ KeyId: keyArn, KeySpec: 'AES_256', EncryptionContext }))
      .catch(secretUnavailable(sealed.place, 'stored'));
    if (Plaintext === undefined || CiphertextBlob === undefined) {
      return secretUnavailable(sealed.place, 'stored')(new TypeError('KMS gave no data key'));
    }
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(CIPHER, Plaintext, iv).setAAD(boundTo(sealed));
    const text = Buffer.concat([cipher.update(value, 'utf8'), cipher.final()]);
    Plaintext.fill(0);
    const box = Buffer.concat([iv, cipher.getAuthTag(), text]);
    return `${STORE}:${sealed.version}.${Buffer.from(CiphertextBlob).toString('base64url')}.${box.toString('base64url')}`;
  }
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

  async function open(place: CredentialPlace, field: SecretField, pointer: string): Promise<string> {
    const [, version, dataKey, box] = POINTER.exec(pointer) ?? [];
    if (version === undefined || dataKey === undefined || box === undefined)
      return secretInvalid(place, `is no ${field}`);
    const sealed = { place, field, version };
    const key = await unsealKey(sealed, Buffer.from(dataKey, 'base64url'));
    try {
      return decipher(sealed, key, Buffer.from(box, 'base64url'));
    } catch {
      return secretInvalid(place, `is not its ${field}`);
    } finally {
      key.fill(0);
    }
  }

  async function unsealKey(sealed: Sealed, CiphertextBlob: Uint8Array): Promise<Uint8Array> {
    const command = new DecryptCommand({ KeyId: keyArn, CiphertextBlob, EncryptionContext: contextOf(sealed) });
    try {
      const { Plaintext } = await client.send(command);
      return Plaintext ?? secretInvalid(sealed.place, 'has no data key');
    } catch (cause) {
      const isForeign = cause instanceof InvalidCiphertextException || cause instanceof IncorrectKeyException;
      if (isForeign) return secretInvalid(sealed.place, `is not its ${sealed.field}`);
      return secretUnavailable(sealed.place, 'read')(cause);
    }
  }
}

/** @throws when the text is not the one that was sealed, or was bound to another place */
function decipher(sealed: Sealed, key: Uint8Array, box: Buffer): string {
  const iv = box.subarray(0, IV_BYTES);
  const tag = box.subarray(IV_BYTES, IV_BYTES + TAG_BYTES);
  const opening = createDecipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES })
    .setAAD(boundTo(sealed))
    .setAuthTag(tag);
  return opening.update(box.subarray(IV_BYTES + TAG_BYTES), undefined, 'utf8') + opening.final('utf8');
}

/** CloudTrail records it in clear text: it holds ids and no content. */
function contextOf({ place, field, version }: Sealed): Record<string, string> {
  const { workspace, vault, credential } = place;
  return { app: 'brainstem', ws: workspace, vlt: vault, vcrd: credential, field, version };
}

function boundTo(sealed: Sealed): Buffer {
  return Buffer.from(JSON.stringify(contextOf(sealed)));
}
