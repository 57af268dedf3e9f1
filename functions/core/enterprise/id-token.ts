/** What is read of an ID token here. Whether to believe it is decided by who issued it, when it comes back to them. */
import * as z from 'zod';
import type { Instant } from '#contract/ids.ts';

const LAST_SECOND = Date.parse('9999-12-31T23:59:59Z') / 1000;
const Claims = z.looseObject({ exp: z.number().positive().max(LAST_SECOND) });

/** Null for a token that does not say, or is none. */
export function idTokenExpiry(token: string): Instant | null {
  const [, payload = ''] = token.split('.');
  const { data } = Claims.safeParse(jsonOf(payload));
  return data === undefined ? null : new Date(Math.floor(data.exp) * 1000).toISOString();
}

function jsonOf(base64url: string): unknown {
  try {
    return JSON.parse(Buffer.from(base64url, 'base64url').toString());
  } catch {
    // No JWT: an opaque text has no claims.
    return null;
  }
}
