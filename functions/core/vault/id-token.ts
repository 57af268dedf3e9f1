/** Claims of ID tokens. A stored token is not verified here: its issuer verifies it when it is sent back. */
import * as z from 'zod';
import type { Instant } from '#contract/ids.ts';
import { jsonOrNull } from '#core/vault/token-endpoint.ts';

const LAST_SECOND = Date.parse('9999-12-31T23:59:59Z') / 1000;
const Claims = z.record(z.string(), z.unknown());
type Claims = Readonly<z.infer<typeof Claims>>;
const Ending = z.looseObject({ exp: z.number().positive().max(LAST_SECOND) });

/** Null for a token without `exp`, and for text that is no token. */
export function idTokenExpiry(token: string): Instant | null {
  const { data } = Ending.safeParse(claimsOf(token));
  return data === undefined ? null : new Date(Math.floor(data.exp) * 1000).toISOString();
}

/** The user of the token, by the claim that equals a vault's `external_user_id`; null for a token without it. */
export function idTokenUser(token: string, claim: string): string | null {
  const { data } = Claims.safeParse(claimsOf(token));
  return data === undefined ? null : claimedUser(data, claim);
}

/** An address that is not verified does not name a user. */
export function claimedUser(claims: Claims, name: string): string | null {
  const value = claims[name];
  if (name === 'email' && claims['email_verified'] !== true) return null;
  return typeof value === 'string' && value !== '' ? value : null;
}

function claimsOf(token: string): unknown {
  const [, payload = ''] = token.split('.');
  // Opaque text has no claims.
  return jsonOrNull(Buffer.from(payload, 'base64url').toString());
}
