import { createCipheriv, createDecipheriv, createECDH, createHash, createPublicKey, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import type { Access, Service } from './service.ts';
import type { KeyPart } from '../template/parts.ts';
import { createFile } from './atomic-file.ts';
import { jsonService, operation } from './json-service.ts';
import { signDigest } from './sign-digest.ts';
import { AwsFault } from './wire.ts';

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;

const EncryptionContext = z.record(z.string(), z.string());
type EncryptionContext = z.infer<typeof EncryptionContext>;

const GenerateDataKey = z.strictObject({
  KeyId: z.string(),
  KeySpec: z.literal('AES_256'),
  EncryptionContext: EncryptionContext.default({}),
});
const Decrypt = z.strictObject({
  CiphertextBlob: z.base64(),
  KeyId: z.string().optional(),
  EncryptionContext: EncryptionContext.default({}),
});

const MAX_MESSAGE_BYTES = 4096;
const SigningAlgorithm = z
  .string()
  .regex(/^(ECDSA|RSASSA_PSS|RSASSA_PKCS1_V1_5)_SHA_(256|384|512)$/, 'is no algorithm of KMS');
const Sign = z.strictObject({
  KeyId: z.string(),
  Message: z.base64(),
  MessageType: z.enum(['RAW', 'DIGEST']).default('RAW'),
  SigningAlgorithm,
});
const GetPublicKey = z.strictObject({ KeyId: z.string() });

interface Key extends KeyPart {
  readonly material: Buffer;
}

/**
 * Plays the keys of the template: symmetric ones as far as data keys go, and signatures over P-256. A key's material is
 * made at its first use.
 */
export function openKms(keys: readonly KeyPart[], dataDir: string): Service {
  const materialOf = openKeyFiles(join(dataDir, 'kms'));
  const keyOf = (which: string): Key => {
    const part = keys.find(({ arn, id }) => arn === which || id === which);
    if (part === undefined) throw new AwsFault('NotFoundException', `there is no key ${which}`);
    return { ...part, material: materialOf(part.id) };
  };

  const operations = {
    GenerateDataKey: operation(GenerateDataKey, ({ KeyId, EncryptionContext: context }) => {
      const key = keyOf(KeyId);
      return {
        accesses: [keyAccess('GenerateDataKey', key, context)],
        run: () => {
          demandSpec('SYMMETRIC_DEFAULT', key);
          const plaintext = randomBytes(KEY_BYTES);
          const sealed = seal(key, plaintext, context);
          return { KeyId: key.arn, Plaintext: plaintext.toString('base64'), CiphertextBlob: sealed.toString('base64') };
        },
      };
    }),
    Decrypt: operation(Decrypt, ({ CiphertextBlob, KeyId, EncryptionContext: context }) => {
      const { keyArn, box } = readBlob(CiphertextBlob);
      const key = keyOf(keyArn);
      // A ciphertext names its key; a caller that names one too must name the same.
      if (KeyId !== undefined && keyOf(KeyId).arn !== key.arn) {
        throw new AwsFault('IncorrectKeyException', 'the ciphertext was made with another key');
      }
      return {
        accesses: [keyAccess('Decrypt', key, context)],
        run: () => {
          demandSpec('SYMMETRIC_DEFAULT', key);
          const plaintext = unseal(key, box, context).toString('base64');
          return { KeyId: key.arn, Plaintext: plaintext, EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' };
        },
      };
    }),
    Sign: operation(Sign, ({ KeyId, Message, MessageType, SigningAlgorithm: algorithm }) => {
      const key = keyOf(KeyId);
      const digest = digestOf(Buffer.from(Message, 'base64'), { MessageType, algorithm });
      const context = { 'kms:SigningAlgorithm': [algorithm], 'kms:MessageType': [MessageType] };
      return {
        accesses: [{ action: 'kms:Sign', resource: key.arn, context }],
        run: () => {
          demandSpec('ECC_NIST_P256', key);
          if (algorithm !== 'ECDSA_SHA_256') {
            const rule = `Algorithm ${algorithm} is incompatible with key spec ${key.spec}.`;
            throw new AwsFault('InvalidKeyUsageException', rule);
          }
          const Signature = signDigest(key.material, digest).toString('base64');
          return { KeyId: key.arn, Signature, SigningAlgorithm: algorithm };
        },
      };
    }),
    GetPublicKey: operation(GetPublicKey, ({ KeyId }) => {
      const key = keyOf(KeyId);
      return {
        accesses: [{ action: 'kms:GetPublicKey', resource: key.arn, context: {} }],
        run: () => {
          if (key.spec === 'SYMMETRIC_DEFAULT') {
            throw new AwsFault('UnsupportedOperationException', `${key.arn} is symmetric and has no public key`);
          }
          const PublicKey = publicKeyOf(key).toString('base64');
          return {
            ...{ KeyId: key.arn, PublicKey, KeySpec: key.spec, CustomerMasterKeySpec: key.spec },
            ...{ KeyUsage: 'SIGN_VERIFY', SigningAlgorithms: ['ECDSA_SHA_256'] },
          };
        },
      };
    }),
  };
  return jsonService({ name: 'kms', operations });
}

function demandSpec(spec: KeyPart['spec'], key: Key): void {
  if (key.spec === spec) return;
  throw new AwsFault('InvalidKeyUsageException', `${key.arn} key spec is ${key.spec}, which is not valid here.`);
}

/** The digest that is signed: the message itself, or that of the message. */
function digestOf(
  message: Buffer,
  { MessageType, algorithm }: { readonly MessageType: string; readonly algorithm: string },
): Buffer {
  const bits = algorithm.slice(-3);
  if (message.length === 0 || message.length > MAX_MESSAGE_BYTES) {
    throw new AwsFault('ValidationException', `Message must have 1 to ${MAX_MESSAGE_BYTES} bytes`);
  }
  if (MessageType === 'RAW') return createHash(`sha${bits}`).update(message).digest();
  if (message.length * 8 !== Number(bits)) {
    throw new AwsFault('ValidationException', `Digest is invalid length for algorithm ${algorithm}.`);
  }
  return message;
}

/** As X.509 has it, in DER. */
function publicKeyOf({ material }: Key): Buffer {
  const pair = createECDH('prime256v1');
  pair.setPrivateKey(material);
  const point = pair.getPublicKey();
  const [x, y] = [point.subarray(1, 1 + KEY_BYTES), point.subarray(1 + KEY_BYTES)];
  const jwk = { kty: 'EC', crv: 'P-256', x: x.toString('base64url'), y: y.toString('base64url') };
  return createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'der' });
}

/** Key material in files that only this user can read, one per key. The first use makes it. */
function openKeyFiles(dir: string): (id: string) => Buffer {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  chmodSync(dir, 0o700);
  return (id) => {
    const file = join(dir, `${id}.key`);
    if (!existsSync(file)) createFile(file, randomBytes(KEY_BYTES), 0o600);
    return readFileSync(file);
  };
}

function keyAccess(action: string, { arn }: Key, encryptionContext: EncryptionContext): Access {
  const pairs = Object.entries(encryptionContext);
  const own = pairs.map(([name, value]) => [`kms:EncryptionContext:${name}`, [value]] as const);
  const context = { ...Object.fromEntries(own), 'kms:EncryptionContextKeys': pairs.map(([name]) => name) };
  return { action: `kms:${action}`, resource: arn, context };
}

/** The ARN of its key, a zero byte, and what `seal` made. */
function readBlob(text: string): { readonly keyArn: string; readonly box: Buffer } {
  const blob = Buffer.from(text, 'base64');
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
