/**
 * The refresh of RFC 6749 §6: its request, and what an answer means. No library is used, because libraries refuse answers
 * that real servers give: a foreign id_token, no new refresh token, no token_type, an expiry as text.
 */
import type { Instant } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import type { OutboundAnswer, OutboundFailure, OutboundRequest } from '#core/ports/outbound.ts';
import type { SecretValues } from '#core/ports/secrets.ts';
import type { StoredCredential } from '#core/ports/vault-records.ts';
import { isIdentity, type Enterprise } from '#core/vault/enterprise.ts';
import { idTokenExpiry } from '#core/vault/id-token.ts';
import {
  expiryOf,
  isBearer,
  readTokenReply,
  tokenRequest,
  type TokenFields,
  type TokenClient,
} from '#core/vault/token-endpoint.ts';

interface RefreshGrant {
  readonly tokenEndpoint: string;
  readonly client: TokenClient;
  readonly refreshToken: string;
  /** The server that the token is for (RFC 8707); null for an identity provider: an ID token is for its client. */
  readonly resource: string | null;
  readonly scope: string | null;
  /** The field of the answer that becomes the credential's token. */
  readonly takes: 'access_token' | 'id_token';
}

export type RefreshReply =
  | {
      readonly status: 'refreshed';
      readonly accessToken: string;
      /** Null: the refresh token that was sent stays in force. */
      readonly refreshToken: string | null;
      /** Null when the server states none. */
      readonly expiresAt: Instant | null;
      /** Null: they stay as before. */
      readonly scopes: readonly string[] | null;
      readonly warning: string | null;
    }
  /** `revoked` is final; after `failed` a later refresh may succeed. `detail` names host and rule, no text of the answer. */
  | { readonly status: 'revoked' | 'failed'; readonly detail: string };

/** @throws Fault `stored_data_invalid` for a credential without a refresh token */
export function grantOf(
  enterprise: Enterprise | null,
  { credential: { id, auth } }: StoredCredential,
  values: SecretValues,
): RefreshGrant {
  if (auth.type !== 'mcp_oauth' || auth.refresh === null || values.refresh_token === undefined) {
    throw new Fault('stored_data_invalid', `${id} has nothing to be refreshed with`);
  }
  const { client_id, token_endpoint: tokenEndpoint, token_endpoint_auth: endpoint, resource, scope } = auth.refresh;
  const isSignIn = isIdentity(enterprise, auth.mcp_server_url);
  return {
    tokenEndpoint,
    client: { id: client_id, auth: endpoint.type, secret: values.client_secret ?? '' },
    refreshToken: values.refresh_token,
    resource: resource ?? (isSignIn ? null : auth.mcp_server_url),
    scope,
    takes: isSignIn ? 'id_token' : 'access_token',
  };
}

export function refreshRequest({ refreshToken, resource, scope, ...to }: RefreshGrant): OutboundRequest {
  return tokenRequest(to.tokenEndpoint, to.client, {
    grant_type: 'refresh_token',
    refresh_token: refreshToken,
    ...(resource === null ? {} : { resource }),
    ...(scope === null || scope === '' ? {} : { scope }),
  });
}

/**
 * The codes that say that this consent is over, so that only the user can help. All others are faults of a configuration
 * (`invalid_client`, `invalid_scope`), which its owner can repair and a new consent could not, or pass (`ratelimited`): the
 * refresh is tried again after a cool-down.
 */
const CONSENT_IS_OVER: ReadonlySet<string> = new Set([
  // RFC 6749 §5.2.
  'invalid_grant',
  // Microsoft: the user has to sign in or to consent again.
  ...['interaction_required', 'login_required', 'consent_required'],
  // GitHub, with HTTP 200.
  'bad_refresh_token',
  // Slack, with HTTP 200 and `ok: false`: the token is unknown, expired or revoked, or its user is gone.
  ...['invalid_refresh_token', 'token_expired', 'token_revoked', 'account_inactive'],
  // Zoho, with HTTP 200.
  'invalid_code',
]);

export function readRefresh(
  reply: OutboundAnswer | OutboundFailure,
  { refreshToken: sent, takes }: Pick<RefreshGrant, 'refreshToken' | 'takes'>,
  at: Instant,
): RefreshReply {
  const read = readTokenReply(reply);
  if (read.status === 'failed') return read;
  if (read.status === 'refused') {
    return { status: CONSENT_IS_OVER.has(read.code) ? 'revoked' : 'failed', detail: read.detail };
  }
  const { host, fields } = read;
  if (!isBearer(fields)) return { status: 'failed', detail: `${host} answered a token that is no bearer token` };
  const token = tokenIn(fields, takes, at);
  // OpenID Connect Core §12.2 lets a provider answer without an ID token. Such a provider will not send one later either.
  if (token === null) return { status: 'revoked', detail: `${host} answered no id_token that a header can carry` };
  const { refresh_token: next, scope } = fields;
  return {
    status: 'refreshed',
    ...token,
    refreshToken: next == null || next === '' || next === sent ? null : next,
    scopes: scope == null ? null : scope.split(' ').filter((one) => one !== ''),
    warning: fields.token_type == null || fields.token_type === '' ? `${host} answered no token_type` : null,
  };
}

function tokenIn(
  fields: TokenFields,
  takes: RefreshGrant['takes'],
  at: Instant,
): { readonly accessToken: string; readonly expiresAt: Instant | null } | null {
  if (takes === 'access_token') return { accessToken: fields.access_token, expiresAt: expiryOf(fields, at) };
  const { id_token: idToken } = fields;
  return idToken == null ? null : { accessToken: idToken, expiresAt: idTokenExpiry(idToken) };
}
