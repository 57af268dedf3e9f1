import { createECDH, randomBytes } from 'node:crypto';

/** The order of the group of P-256. */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const BYTES = 32;

/**
 * ECDSA over P-256 of a digest, as ASN.1 DER. Node.js signs messages only, which it hashes itself. Not in constant time:
 * for the keys of the local runtime.
 */
export function signDigest(privateKey: Buffer, digest: Buffer): Buffer {
  for (;;) {
    const nonce = randomBytes(BYTES);
    const k = numberOf(nonce);
    if (k === 0n || k >= ORDER) continue;
    const point = createECDH('prime256v1');
    point.setPrivateKey(nonce);
    // The uncompressed point: a byte, and then x and y.
    const r = numberOf(point.getPublicKey().subarray(1, 1 + BYTES)) % ORDER;
    const s = (power(k, ORDER - 2n) * (numberOf(digest) + r * numberOf(privateKey))) % ORDER;
    if (r !== 0n && s !== 0n) return der(0x30, Buffer.concat([integer(r), integer(s)]));
  }
}

function numberOf(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString('hex')}`);
}

/** Modulo the order, which is prime: to the power of `ORDER - 2` is the inverse. */
function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = base % ORDER;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * square) % ORDER;
    square = (square * square) % ORDER;
  }
  return result;
}

/** A leading zero keeps it positive. */
function integer(value: bigint): Buffer {
  const hex = value.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  return der(0x02, (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
}

function der(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.of(tag, content.length), content]);
}
