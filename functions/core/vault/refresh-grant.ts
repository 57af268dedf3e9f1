/**
 * The refresh of RFC 6749 §6 as a request and as what an answer means. It is ours, because what real servers answer is
 * wider than what the libraries take: a foreign id_token, no new refresh token, no token_type, an expiry as text.
 */
import * as z from 'zod';
import type { Instant } from '#contract/ids.ts';
import type { OutboundAnswer, OutboundFailure, OutboundRequest } from '#core/outbound/outbound.ts';
import { basicAuthorization } from '#core/vault/basic-authorization.ts';

export interface RefreshGrant {
  readonly tokenEndpoint: string;
  readonly clientId: string;
  readonly auth: 'none' | 'client_secret_basic' | 'client_secret_post';
  /** Empty for a client that has none. */
  readonly clientSecret: string;
  readonly refreshToken: string;
  /** Whom the token is for (RFC 8707). */
  readonly resource: string;
  readonly scope: string | null;
}

export type Refreshed =
  | {
      readonly status: 'refreshed';
      readonly accessToken: string;
      /** Null: the one that was sent stays in force. */
      readonly refreshToken: string | null;
      /** Null: it was not told. */
      readonly expiresAt: Instant | null;
      /** Null: as before. */
      readonly scopes: readonly string[] | null;
      readonly warning: string | null;
    }
  /** `revoked`: over for good. `failed`: it may go better later. `detail` names host and rule, no text of the answer. */
  | { readonly status: 'revoked' | 'failed'; readonly detail: string };

/**
 * As long without a byte as in all: an answer that is not waited for may be the one that holds the only refresh token
 * that still works.
 */
const LIMITS = { maxBytes: 262_144, totalMs: 8000, idleMs: 8000, maxRedirects: 0 };

/** A lifetime that nobody means, and that an instant can still hold. */
const MAX_LIFETIME_SECONDS = 10 * 365 * 24 * 3600;

export function refreshRequest(grant: RefreshGrant): OutboundRequest {
  const { clientId, clientSecret, auth, scope } = grant;
  const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: grant.refreshToken });
  body.set('resource', grant.resource);
  if (scope !== null && scope !== '') body.set('scope', scope);
  if (auth !== 'client_secret_basic') body.set('client_id', clientId);
  if (auth === 'client_secret_post') body.set('client_secret', clientSecret);
  return {
    url: grant.tokenEndpoint,
    method: 'POST',
    headers: {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      ...(auth === 'client_secret_basic' ? { authorization: basicAuthorization(clientId, clientSecret) } : {}),
    },
    body: body.toString(),
    limits: LIMITS,
  };
}

/** What a header can carry: visible ASCII. */
const HeaderText = z.string().regex(/^[\x21-\x7e]+$/);
const Told = z.looseObject({
  access_token: HeaderText,
  token_type: z.string().nullish().catch(null),
  refresh_token: z.string().nullish().catch(null),
  expires_in: z
    .union([z.number(), z.string().regex(/^\d+$/).transform(Number)])
    .nullish()
    .catch(null),
  scope: z.string().nullish().catch(null),
});
/** RFC 6749 §5.2: a code is short, and anything else is text of a stranger. */
const Refusal = z.looseObject({ error: z.string().regex(/^[a-z][a-z0-9_]{0,63}$/) });

/**
 * Of the codes of RFC 6749 §5.2 and RFC 8707 only `invalid_grant` says that this consent is over. `invalid_client`,
 * `unauthorized_client`, `invalid_scope`, `invalid_target` and the rest are faults of a configuration that its owner can
 * repair, and no new consent would: they cool down and are tried again.
 */
export function readRefresh(reply: OutboundAnswer | OutboundFailure, sent: string, at: Instant): Refreshed {
  if (reply.status === 'failed') return { status: 'failed', detail: reply.message };
  const host = new URL(reply.url).hostname;
  const body = jsonOf(reply.body);
  const refusal = Refusal.safeParse(body);
  if (reply.code < 500 && refusal.success) {
    const { error } = refusal.data;
    return { status: error === 'invalid_grant' ? 'revoked' : 'failed', detail: `${host} answered ${error}` };
  }
  if (reply.code < 200 || reply.code > 299) return { status: 'failed', detail: `${host} answered HTTP ${reply.code}` };
  const told = Told.safeParse(body);
  if (!told.success) return { status: 'failed', detail: `${host} answered no access_token that a header can carry` };
  const type = told.data.token_type ?? '';
  if (type !== '' && type.toLowerCase() !== 'bearer') {
    return { status: 'failed', detail: `${host} answered a token that is no bearer token` };
  }
  const { access_token: accessToken, refresh_token: next, scope } = told.data;
  return {
    status: 'refreshed',
    accessToken,
    refreshToken: next == null || next === '' || next === sent ? null : next,
    expiresAt: expiry(told.data.expires_in ?? 0, at),
    scopes: scope == null ? null : scope.split(' ').filter((one) => one !== ''),
    warning: type === '' ? `${host} answered no token_type` : null,
  };
}

/** Zero and less are what servers say that do not know. */
function expiry(seconds: number, at: Instant): Instant | null {
  if (!Number.isFinite(seconds) || seconds <= 0) return null;
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
