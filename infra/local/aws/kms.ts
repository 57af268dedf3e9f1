import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import * as z from 'zod';
import type { Access, Service } from './service.ts';
import type { KeyPart } from '../template/parts.ts';
import { jsonService, requiredText, type Input, type JsonOperation } from './json-service.ts';
import { openKeyStore, type KeyStore } from './kms/store.ts';
import { AwsFault } from './wire.ts';

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

const EncryptionContext = z.record(z.string(), z.string());
type EncryptionContext = z.infer<typeof EncryptionContext>;

interface Key {
  readonly arn: string;
  readonly material: Buffer;
}

/** Plays the symmetric keys of the template, as far as data keys go. A key's material is made on the first start. */
export function openKms(keys: readonly KeyPart[], dataDir: string): Service {
  const store = openKeyStore(join(dataDir, 'kms'));
  return jsonService({ name: 'kms', operations: operations(keys, store) });
}

function operations(keys: readonly KeyPart[], store: KeyStore): Readonly<Record<string, JsonOperation>> {
  const keyOf = (which: string): Key => {
    const part = keys.find(({ arn, id }) => arn === which || id === which);
    if (part === undefined) throw new AwsFault('NotFoundException', `there is no key ${which}`);
    return { arn: part.arn, material: store.material(part.id) };
  };
  /** A ciphertext names its key; a caller that names one too must name the same. */
  const openedBy = (input: Input): Key => {
    const key = keyOf(readBlob(input).keyArn);
    const isOther = input['KeyId'] !== undefined && keyOf(requiredText(input, 'KeyId')).arn !== key.arn;
    if (isOther) throw new AwsFault('IncorrectKeyException', 'the ciphertext was made with another key');
    return key;
  };
  return {
    GenerateDataKey: {
      accesses: (input) => [keyAccess('GenerateDataKey', keyOf(requiredText(input, 'KeyId')).arn, input)],
      run: (input) => {
        const key = keyOf(requiredText(input, 'KeyId'));
        const plaintext = randomBytes(dataKeyBytes(input));
        return {
          KeyId: key.arn,
          Plaintext: plaintext.toString('base64'),
          CiphertextBlob: seal(key, plaintext, contextOf(input)).toString('base64'),
        };
      },
    },
    Decrypt: {
      accesses: (input) => [keyAccess('Decrypt', openedBy(input).arn, input)],
      run: (input) => {
        const key = openedBy(input);
        const plaintext = unseal(key, readBlob(input).box, contextOf(input));
        return { KeyId: key.arn, Plaintext: plaintext.toString('base64'), EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' };
      },
    },
  };
}

function keyAccess(operation: string, resource: string, input: Input): Access {
  const pairs = Object.entries(contextOf(input));
  const own = pairs.map(([name, value]) => [`kms:EncryptionContext:${name}`, [value]] as const);
  const context = { ...Object.fromEntries(own), 'kms:EncryptionContextKeys': pairs.map(([name]) => name) };
  return { action: `kms:${operation}`, resource, context };
}

function contextOf(input: Input): EncryptionContext {
  const parsed = EncryptionContext.safeParse(input['EncryptionContext'] ?? {});
  if (parsed.success) return parsed.data;
  throw new AwsFault('ValidationException', 'EncryptionContext must be a map of strings');
}

function dataKeyBytes(input: Input): number {
  const { KeySpec, NumberOfBytes } = input;
  if (KeySpec === 'AES_256' && NumberOfBytes === undefined) return 32;
  if (KeySpec === 'AES_128' && NumberOfBytes === undefined) return 16;
  const bytes = Number(NumberOfBytes);
  if (KeySpec === undefined && Number.isInteger(bytes) && bytes >= 1 && bytes <= 1024) return bytes;
  throw new AwsFault('ValidationException', 'either KeySpec or NumberOfBytes from 1 to 1024 is required');
}

/** The ARN of its key, a zero byte, and what `seal` made. */
function readBlob(input: Input): { readonly keyArn: string; readonly box: Buffer } {
  const blob = Buffer.from(requiredText(input, 'CiphertextBlob'), 'base64');
  const end = blob.indexOf(0);
  if (end < 1) throw invalidCiphertext();
  return { keyArn: blob.toString('utf8', 0, end), box: blob.subarray(end + 1) };
}

function seal(key: Key, plaintext: Buffer, context: EncryptionContext): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, key.material, iv).setAAD(boundTo(context));
  const sealed = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([Buffer.from(`${key.arn}\0`), iv, cipher.getAuthTag(), sealed]);
}

function unseal(key: Key, box: Buffer, context: EncryptionContext): Buffer {
  const textAt = IV_BYTES + TAG_BYTES;
  try {
    const decipher = createDecipheriv(CIPHER, key.material, box.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
      .setAAD(boundTo(context))
      .setAuthTag(box.subarray(IV_BYTES, textAt));
    return Buffer.concat([decipher.update(box.subarray(textAt)), decipher.final()]);
  } catch {
    throw invalidCiphertext();
  }
}

/** Pairs in any order are the same context. */
function boundTo(context: EncryptionContext): Buffer {
  const pairs = Object.entries(context).toSorted(([left], [right]) => (left < right ? -1 : 1));
  return Buffer.from(JSON.stringify(pairs));
}

/** As AWS answers it: without a word on what is wrong. */
function invalidCiphertext(): AwsFault {
  return new AwsFault('InvalidCiphertextException', '');
}
