/** Requests to token endpoints, and their answers, for every grant (RFC 6749 §3.2, §5). */
import * as z from 'zod';
import type { Instant } from '#contract/ids.ts';
import type { OutboundAnswer, OutboundFailure, OutboundRequest } from '#core/ports/outbound.ts';

export interface TokenClient {
  readonly id: string;
  readonly auth: 'none' | 'client_secret_basic' | 'client_secret_post';
  /** Empty for a client that has none. */
  readonly secret: string;
}

/**
 * The time without a byte may be as long as the whole request: the answer may hold the only refresh token that still
 * works, so the wait for it is not cut short.
 */
const LIMITS = { maxBytes: 262_144, totalMs: 8000, idleMs: 8000, maxRedirects: 0 };

/** Longer lifetimes are taken as this one, which an instant can still hold. */
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

/** The header with which a client authenticates by its secret (`client_secret_basic`). */
export function basicAuthorization(clientId: string, clientSecret: string): string {
  return `Basic ${btoa(`${formEncoded(clientId)}:${formEncoded(clientSecret)}`)}`;
}

/** RFC 6749 §2.3.1: each half is encoded as in a form, so that neither can hold the colon between them. */
function formEncoded(text: string): string {
  return new URLSearchParams({ v: text }).toString().slice('v='.length);
}

/** RFC 8414: a server that names no method takes Basic. */
export function secretMethod(authMethods: readonly string[]): 'client_secret_basic' | 'client_secret_post' {
  const basic = authMethods.length === 0 || authMethods.includes('client_secret_basic');
  return basic ? 'client_secret_basic' : 'client_secret_post';
}

/** Text that a header can carry: visible ASCII. */
export const HeaderText = z.string().regex(/^[\x21-\x7e]+$/);

const TokenFields = z.looseObject({
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
export type TokenFields = z.infer<typeof TokenFields>;

/** RFC 6749 §5.2: an error code is short. Other text is the server's own, and is not repeated. */
const ErrorFields = z.looseObject({ error: z.string().regex(/^[a-z][a-z0-9_]{0,63}$/) });

/** The server did not look at the request, so an error code in this answer says nothing about the grant. */
const TOO_MANY_REQUESTS = 429;

/** `detail` names host and rule, no text of the answer. */
export type TokenReply =
  | { readonly status: 'granted'; readonly host: string; readonly fields: TokenFields }
  /** `code` is one of RFC 6749 §5.2, or of an extension. */
  | { readonly status: 'refused'; readonly code: string; readonly detail: string }
  | { readonly status: 'failed'; readonly detail: string };

export function readTokenReply(reply: OutboundAnswer | OutboundFailure): TokenReply {
  if (reply.status === 'failed') return { status: 'failed', detail: reply.message };
  const host = new URL(reply.url).hostname;
  const body = fieldsOf(reply);
  const refusal = ErrorFields.safeParse(body);
  if (reply.code < 500 && reply.code !== TOO_MANY_REQUESTS && refusal.success) {
    const { error } = refusal.data;
    return { status: 'refused', code: error, detail: `${host} answered ${error}` };
  }
  if (reply.code < 200 || reply.code > 299) return { status: 'failed', detail: `${host} answered HTTP ${reply.code}` };
  const fields = TokenFields.safeParse(body);
  return fields.success
    ? { status: 'granted', host, fields: fields.data }
    : { status: 'failed', detail: `${host} answered no access_token that a header can carry` };
}

/** Servers that are older than RFC 6749 answer as a form, some of them whatever the client accepts. */
function fieldsOf({ headers, body }: OutboundAnswer): unknown {
  const text = new TextDecoder().decode(body);
  const isForm = headers['content-type']?.toLowerCase().startsWith('application/x-www-form-urlencoded') === true;
  const json = jsonOrNull(text);
  return json === null && isForm ? Object.fromEntries(new URLSearchParams(text)) : json;
}

/** RFC 6749 §7.1: a client must not use a token of a type that it does not know. Without a type, this one is meant. */
export function isBearer({ token_type: type }: TokenFields): boolean {
  return type == null || type === '' || type.toLowerCase() === 'bearer';
}

/** Null when the server states none. Servers that do not know the lifetime state zero or less. */
export function expiryOf({ expires_in: seconds }: TokenFields, at: Instant): Instant | null {
  if (seconds == null || !Number.isFinite(seconds) || seconds <= 0) return null;
  return new Date(Date.parse(at) + Math.min(seconds, MAX_LIFETIME_SECONDS) * 1000).toISOString();
}

/** Null for text that is no JSON, such as an error page. */
export function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
