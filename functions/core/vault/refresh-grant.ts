/**
 * The refresh of RFC 6749 §6 as a request and as what an answer means. It is ours, because what real servers answer is
 * wider than what the libraries take: a foreign id_token, no new refresh token, no token_type, an expiry as text.
 */
import type { Instant } from '#contract/ids.ts';
import { idTokenExpiry } from '#core/vault/id-token.ts';
import type { OutboundAnswer, OutboundFailure, OutboundRequest } from '#core/ports/outbound.ts';
import {
  expiryOf,
  isBearer,
  readTokenReply,
  tokenRequest,
  type Told,
  type TokenClient,
} from '#core/vault/token-endpoint.ts';

export interface RefreshGrant {
  readonly tokenEndpoint: string;
  readonly client: TokenClient;
  readonly refreshToken: string;
  /** Whom the token is for (RFC 8707); null for an identity provider, whose ID token is for its client. */
  readonly resource: string | null;
  readonly scope: string | null;
  /** What of the answer becomes the credential's token. */
  readonly takes: 'access_token' | 'id_token';
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

export function refreshRequest({ refreshToken, resource, scope, ...to }: RefreshGrant): OutboundRequest {
  return tokenRequest(to.tokenEndpoint, to.client, {
    grant_type: 'refresh_token',
    refresh_token: refreshToken,
    ...(resource === null ? {} : { resource }),
    ...(scope === null || scope === '' ? {} : { scope }),
  });
}

/**
 * Of the codes of RFC 6749 §5.2 and RFC 8707 only `invalid_grant` says that this consent is over. `invalid_client`,
 * `unauthorized_client`, `invalid_scope`, `invalid_target` and the rest are faults of a configuration that its owner can
 * repair, and no new consent would: they cool down and are tried again.
 */
export function readRefresh(
  reply: OutboundAnswer | OutboundFailure,
  { refreshToken: sent, takes }: Pick<RefreshGrant, 'refreshToken' | 'takes'>,
  at: Instant,
): Refreshed {
  const read = readTokenReply(reply);
  if (read.status === 'failed') return read;
  if (read.status === 'refused') {
    return { status: read.code === 'invalid_grant' ? 'revoked' : 'failed', detail: read.detail };
  }
  const { host, told } = read;
  if (!isBearer(told)) return { status: 'failed', detail: `${host} answered a token that is no bearer token` };
  const token = tokenIn(told, takes, at);
  // OpenID Connect Core §12.2 lets a provider renew no ID token, and one that does not will not do so later.
  if (token === null) return { status: 'revoked', detail: `${host} answered no id_token that a header can carry` };
  const { refresh_token: next, scope } = told;
  return {
    status: 'refreshed',
    ...token,
    refreshToken: next == null || next === '' || next === sent ? null : next,
    scopes: scope == null ? null : scope.split(' ').filter((one) => one !== ''),
    warning: told.token_type == null || told.token_type === '' ? `${host} answered no token_type` : null,
  };
}

function tokenIn(
  told: Told,
  takes: RefreshGrant['takes'],
  at: Instant,
): { readonly accessToken: string; readonly expiresAt: Instant | null } | null {
  if (takes === 'access_token') return { accessToken: told.access_token, expiresAt: expiryOf(told, at) };
  const { id_token: idToken } = told;
  return idToken == null ? null : { accessToken: idToken, expiresAt: idTokenExpiry(idToken) };
}
