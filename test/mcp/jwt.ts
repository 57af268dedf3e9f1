/** Tokens that identity providers sign and authorization servers verify: RS256 only. */
import { sign, verify, type KeyObject } from 'node:crypto';

export type Claims = Readonly<Record<string, unknown>>;

const encoded = (part: unknown) => Buffer.from(JSON.stringify(part)).toString('base64url');
const decoded = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Claims;

export function signedJwt(key: KeyObject, claims: Claims, typ = 'JWT'): string {
  const signed = `${encoded({ alg: 'RS256', typ })}.${encoded(claims)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
}

/** Null for a token that this key has not signed, or that has expired. */
export function verifiedJwt(
  key: KeyObject,
  jwt: string,
  nowMs = Date.now(),
): { readonly typ: unknown; readonly claims: Claims } | null {
  const [header = '', payload = '', signature = ''] = jwt.split('.');
  if (!verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url'))) return null;
  const claims = decoded(payload);
  return nowMs / 1000 < Number(claims['exp']) ? { typ: decoded(header)['typ'], claims } : null;
}
