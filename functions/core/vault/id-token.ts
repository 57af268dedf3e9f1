/** What is read of ID tokens. Of one that was kept nothing is verified here: who issued it does so when it comes back. */
import * as z from 'zod';
import type { Instant } from '#contract/ids.ts';

const LAST_SECOND = Date.parse('9999-12-31T23:59:59Z') / 1000;
const Claims = z.record(z.string(), z.unknown());
type Claims = Readonly<z.infer<typeof Claims>>;
const Ending = z.looseObject({ exp: z.number().positive().max(LAST_SECOND) });

/** Null for a token that does not say, or is none. */
export function idTokenExpiry(token: string): Instant | null {
  const { data } = Ending.safeParse(claimsOf(token));
  return data === undefined ? null : new Date(Math.floor(data.exp) * 1000).toISOString();
}

/** Whom the token is of, by the claim that equals a vault's `external_user_id`; null for a token that does not say. */
export function idTokenUser(token: string, claim: string): string | null {
  const { data } = Claims.safeParse(claimsOf(token));
  return data === undefined ? null : claimedUser(data, claim);
}

/** An address that nobody has verified names nobody. */
export function claimedUser(claims: Claims, name: string): string | null {
  const value = claims[name];
  if (name === 'email' && claims['email_verified'] !== true) return null;
  return typeof value === 'string' && value !== '' ? value : null;
}

function claimsOf(token: string): unknown {
  const [, payload = ''] = token.split('.');
  return jsonOf(payload);
}

function jsonOf(base64url: string): unknown {
  try {
    return JSON.parse(Buffer.from(base64url, 'base64url').toString());
  } catch {
    // No JWT: an opaque text has no claims.
    return null;
  }
}
