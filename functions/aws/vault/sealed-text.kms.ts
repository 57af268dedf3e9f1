/**
 * A text under a data key of KMS, which is stored with it. It is bound to a context, which KMS checks with the key and the
 * cipher with the text: with another context it does not open.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import {
  DecryptCommand,
  GenerateDataKeyCommand,
  IncorrectKeyException,
  InvalidCiphertextException,
  type KMSClient,
} from '@aws-sdk/client-kms';

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** `<sealed data key>.<iv, tag and text>`, both in base64url. */
const SEALED = /^([\w-]+)\.([\w-]+)$/;

export interface Sealing {
  /** CloudTrail records it in clear text: it holds ids and no content. */
  readonly context: Readonly<Record<string, string>>;
  /** Makes of an error of KMS what is thrown. */
  readonly unavailable: (done: 'stored' | 'read') => (cause: unknown) => never;
  /** Throws when the text is not the one that was sealed for this context. It quotes nothing of it. */
  readonly invalid: () => never;
}

interface SealingKey {
  readonly client: KMSClient;
  readonly keyArn: string;
}

export async function sealText({ client, keyArn }: SealingKey, sealing: Sealing, text: string): Promise<string> {
  const { context: EncryptionContext, unavailable } = sealing;
  const { Plaintext, CiphertextBlob } = await client
    .send(new GenerateDataKeyCommand({ KeyId: keyArn, KeySpec: 'AES_256', EncryptionContext }))
    .catch(unavailable('stored'));
  if (Plaintext === undefined || CiphertextBlob === undefined) {
    return unavailable('stored')(new TypeError('KMS gave no data key'));
  }
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, Plaintext, iv).setAAD(boundTo(sealing));
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  Plaintext.fill(0);
  const box = Buffer.concat([iv, cipher.getAuthTag(), sealed]);
  return `${Buffer.from(CiphertextBlob).toString('base64url')}.${box.toString('base64url')}`;
}

export async function openText(key: SealingKey, sealing: Sealing, sealed: string): Promise<string> {
  const [, dataKey, box] = SEALED.exec(sealed) ?? [];
  if (dataKey === undefined || box === undefined) return sealing.invalid();
  const plain = await unsealKey(key, sealing, Buffer.from(dataKey, 'base64url'));
  try {
    return decipher(sealing, plain, Buffer.from(box, 'base64url'));
  } catch {
    return sealing.invalid();
  } finally {
    plain.fill(0);
  }
}

async function unsealKey({ client, keyArn }: SealingKey, sealing: Sealing, CiphertextBlob: Uint8Array) {
  const command = new DecryptCommand({ KeyId: keyArn, CiphertextBlob, EncryptionContext: { ...sealing.context } });
  try {
    const { Plaintext } = await client.send(command);
    return Plaintext ?? sealing.invalid();
  } catch (cause) {
    const isForeign = cause instanceof InvalidCiphertextException || cause instanceof IncorrectKeyException;
    return isForeign ? sealing.invalid() : sealing.unavailable('read')(cause);
  }
}

/** @throws when the text is not the one that was sealed, or was bound to another context */
function decipher(sealing: Sealing, key: Uint8Array, box: Buffer): string {
  const iv = box.subarray(0, IV_BYTES);
  const tag = box.subarray(IV_BYTES, IV_BYTES + TAG_BYTES);
  const opening = createDecipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES })
    .setAAD(boundTo(sealing))
    .setAuthTag(tag);
  return opening.update(box.subarray(IV_BYTES + TAG_BYTES), undefined, 'utf8') + opening.final('utf8');
}

function boundTo({ context }: Sealing): Buffer {
  return Buffer.from(JSON.stringify(context));
}
