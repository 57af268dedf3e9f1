/**
 * The two requests of enterprise-managed authorization, and what their answers mean: the identity provider exchanges the
 * user's ID token for an ID-JAG (RFC 8693), which the server's authorization server takes for an access token (RFC 7523).
 */
import type { Instant } from '#contract/ids.ts';
import type { ManagedServer } from '#contract/enterprise.ts';
import type { OutboundAnswer, OutboundFailure, OutboundRequest } from '#core/ports/outbound.ts';
import {
  expiryOf,
  isBearer,
  readTokenReply,
  tokenRequest,
  type TokenClient,
  type TokenReply,
} from '#core/vault/token-endpoint.ts';

const ID_JAG = 'urn:ietf:params:oauth:token-type:id-jag';

/** A token endpoint, and who we are there. */
export interface Asking {
  readonly tokenEndpoint: string;
  readonly client: TokenClient;
}

type Refused = Exclude<TokenReply, { readonly status: 'told' }>;

export type Assertion = { readonly status: 'asserted'; readonly assertion: string } | Refused;
export type Admission =
  | { readonly status: 'admitted'; readonly token: string; readonly expiresAt: Instant | null }
  | Refused;

export function assertionRequest(
  { tokenEndpoint, client }: Asking,
  { issuer, resource, scopes }: Pick<ManagedServer, 'issuer' | 'resource' | 'scopes'>,
  idToken: string,
): OutboundRequest {
  return tokenRequest(tokenEndpoint, client, {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    requested_token_type: ID_JAG,
    audience: issuer,
    resource,
    subject_token: idToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
    ...scopeOf(scopes),
  });
}

export function readAssertion(reply: OutboundAnswer | OutboundFailure): Assertion {
  const read = readTokenReply(reply);
  if (read.status !== 'told') return read;
  const { host, told } = read;
  // Another kind of token must not be sent on: it could be one that opens more than this server.
  if (told.issued_token_type !== ID_JAG)
    return { status: 'failed', detail: `${host} issued a token that is no ID-JAG` };
  return { status: 'asserted', assertion: told.access_token };
}

export function admissionRequest(
  { tokenEndpoint, client }: Asking,
  { scopes }: Pick<ManagedServer, 'scopes'>,
  assertion: string,
): OutboundRequest {
  return tokenRequest(tokenEndpoint, client, {
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion,
    ...scopeOf(scopes),
  });
}

export function readAdmission(reply: OutboundAnswer | OutboundFailure, at: Instant): Admission {
  const read = readTokenReply(reply);
  if (read.status !== 'told') return read;
  const { host, told } = read;
  if (!isBearer(told)) return { status: 'failed', detail: `${host} answered a token that is no bearer token` };
  return { status: 'admitted', token: told.access_token, expiresAt: expiryOf(told, at) };
}

function scopeOf(scopes: readonly string[]): { readonly scope?: string } {
  return scopes.length === 0 ? {} : { scope: scopes.join(' ') };
}
