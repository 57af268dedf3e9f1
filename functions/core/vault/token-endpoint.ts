/** What a token endpoint is sent and says, whatever the grant (RFC 6749 §3.2, §5). */
import * as z from 'zod';
import type { Instant } from '#contract/ids.ts';
import type { OutboundAnswer, OutboundFailure, OutboundRequest } from '#core/ports/outbound.ts';
import { basicAuthorization } from '#core/vault/basic-authorization.ts';

export interface TokenClient {
  readonly id: string;
  readonly auth: 'none' | 'client_secret_basic' | 'client_secret_post';
  /** Empty for a client that has none. */
  readonly secret: string;
}

/**
 * As long without a byte as in all: an answer that is not waited for may be the one that holds the only refresh token
 * that still works.
 */
const LIMITS = { maxBytes: 262_144, totalMs: 8000, idleMs: 8000, maxRedirects: 0 };

/** A lifetime that nobody means, and that an instant can still hold. */
const MAX_LIFETIME_SECONDS = 10 * 365 * 24 * 3600;

export function tokenRequest(
  endpoint: string,
  { id, auth, secret }: TokenClient,
  form: Readonly<Record<string, string>>,
): OutboundRequest {
  const body = new URLSearchParams(form);
  if (auth !== 'client_secret_basic') body.set('client_id', id);
  if (auth === 'client_secret_post') body.set('client_secret', secret);
  return {
    url: endpoint,
    method: 'POST',
    headers: {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      ...(auth === 'client_secret_basic' ? { authorization: basicAuthorization(id, secret) } : {}),
    },
    body: body.toString(),
    limits: LIMITS,
  };
}

/** RFC 8414: a server that names no method takes Basic. */
export function secretMethod(authMethods: readonly string[]): 'client_secret_basic' | 'client_secret_post' {
  const basic = authMethods.length === 0 || authMethods.includes('client_secret_basic');
  return basic ? 'client_secret_basic' : 'client_secret_post';
}

/** What a header can carry: visible ASCII. */
export const HeaderText = z.string().regex(/^[\x21-\x7e]+$/);

const Told = z.looseObject({
  access_token: HeaderText,
  token_type: z.string().nullish().catch(null),
  issued_token_type: z.string().nullish().catch(null),
  refresh_token: z.string().nullish().catch(null),
  id_token: HeaderText.nullish().catch(null),
  expires_in: z
    .union([z.number(), z.string().regex(/^\d+$/).transform(Number)])
    .nullish()
    .catch(null),
  scope: z.string().nullish().catch(null),
});
export type Told = z.infer<typeof Told>;

/** RFC 6749 §5.2: a code is short, and anything else is text of a stranger. */
const Refusal = z.looseObject({ error: z.string().regex(/^[a-z][a-z0-9_]{0,63}$/) });

/** Whatever is said with it, it is no answer to what was asked. */
const TOO_MANY_REQUESTS = 429;

/** `detail` names host and rule, no text of the answer. */
export type TokenReply =
  | { readonly status: 'told'; readonly host: string; readonly told: Told }
  /** In the protocol's own words; `code` is one of RFC 6749 §5.2, or of an extension. */
  | { readonly status: 'refused'; readonly code: string; readonly detail: string }
  | { readonly status: 'failed'; readonly detail: string };

export function readTokenReply(reply: OutboundAnswer | OutboundFailure): TokenReply {
  if (reply.status === 'failed') return { status: 'failed', detail: reply.message };
  const host = new URL(reply.url).hostname;
  const body = jsonOf(reply.body);
  const refusal = Refusal.safeParse(body);
  if (reply.code < 500 && reply.code !== TOO_MANY_REQUESTS && refusal.success) {
    const { error } = refusal.data;
    return { status: 'refused', code: error, detail: `${host} answered ${error}` };
  }
  if (reply.code < 200 || reply.code > 299) return { status: 'failed', detail: `${host} answered HTTP ${reply.code}` };
  const told = Told.safeParse(body);
  return told.success
    ? { status: 'told', host, told: told.data }
    : { status: 'failed', detail: `${host} answered no access_token that a header can carry` };
}

/** RFC 6749 §7.1: a token of another type is of no use to who cannot use that type; servers that say nothing mean this one. */
export function isBearer({ token_type: type }: Told): boolean {
  return type == null || type === '' || type.toLowerCase() === 'bearer';
}

/** Null when it was not told: zero and less are what servers say that do not know. */
export function expiryOf({ expires_in: seconds }: Told, at: Instant): Instant | null {
  if (seconds == null || !Number.isFinite(seconds) || seconds <= 0) return null;
  return new Date(Date.parse(at) + Math.min(seconds, MAX_LIFETIME_SECONDS) * 1000).toISOString();
}

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    // An error page, in whatever format: no token is in it.
    return null;
  }
}
