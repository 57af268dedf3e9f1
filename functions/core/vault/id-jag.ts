/**
 * Enterprise-managed authorization: the identity provider exchanges the user's ID token for an ID-JAG (RFC 8693), and the
 * authorization server of the MCP server takes that for an access token (RFC 7523).
 */
import type { Instant } from '#contract/ids.ts';
import type { ManagedServer } from '#contract/enterprise.ts';
import type { Outbound, OutboundAnswer, OutboundFailure } from '#core/ports/outbound.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import type { Enterprise } from '#core/vault/enterprise.ts';
import {
  expiryOf,
  isBearer,
  readTokenReply,
  secretMethod,
  tokenRequest,
  type TokenReply,
} from '#core/vault/token-endpoint.ts';

/** Finds where an issuer takes token requests, by its metadata (RFC 8414, OpenID Connect Discovery). */
export interface TokenEndpoints {
  find(issuer: string): Promise<FoundEndpoint | { readonly status: 'failed'; readonly detail: string }>;
}

export interface FoundEndpoint {
  readonly status: 'found';
  /** Its own spelling: issuers are written with and without a slash at the end. */
  readonly issuer: string;
  readonly url: string;
  readonly authMethods: readonly string[];
}

/** Either identity providers or authorization servers, and the way out to them. */
export interface TokenIssuers {
  readonly endpoints: TokenEndpoints;
  readonly outbound: Outbound;
}

export interface IdJagWorld {
  readonly enterprise: Enterprise | null;
  readonly identityProviders: TokenIssuers;
  readonly authorizationServers: TokenIssuers;
  /** Throws `Fault` `secret_unavailable`. */
  readonly clientSecret: (arn: string) => Promise<string>;
  readonly stamp: Pick<Stamp, 'now'>;
}

type Refused = Exclude<TokenReply, { readonly status: 'granted' }>;

type AssertionReply = { readonly status: 'asserted'; readonly assertion: string } | Refused;
export type AdmissionReply =
  | { readonly status: 'admitted'; readonly token: string; readonly expiresAt: Instant | null }
  | Refused;

const ID_JAG = 'urn:ietf:params:oauth:token-type:id-jag';

export async function requestAssertion(
  world: IdJagWorld,
  { issuer, resource, scopes }: ManagedServer,
  { idToken, signal }: { readonly idToken: string; readonly signal: AbortSignal },
): Promise<AssertionReply> {
  const { enterprise, identityProviders, authorizationServers } = world;
  if (enterprise === null) return { status: 'failed', detail: 'no identity provider is set up' };
  // The authorization server compares the audience with its own spelling, letter by letter.
  const audience = await authorizationServers.endpoints.find(issuer);
  if (audience.status === 'failed') return audience;
  const form = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    requested_token_type: ID_JAG,
    audience: audience.issuer,
    resource,
    subject_token: idToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
    ...scopeOf(scopes),
  };
  return askAt(world, identityProviders, { at: enterprise.login, form, signal, read: readAssertion });
}

export async function requestAdmission(
  world: IdJagWorld,
  server: ManagedServer,
  { assertion, signal }: { readonly assertion: string; readonly signal: AbortSignal },
): Promise<AdmissionReply> {
  const grant_type = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
  const form = { grant_type, assertion, ...scopeOf(server.scopes) };
  const read = (answer: OutboundAnswer | OutboundFailure) => readAdmission(answer, world.stamp.now());
  return askAt(world, world.authorizationServers, { at: server, form, signal, read });
}

interface Asking<Reply> {
  /** The issuer, and the client that this service is there. */
  readonly at: Pick<ManagedServer, 'issuer' | 'clientId' | 'clientSecretArn'>;
  readonly form: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly read: (answer: OutboundAnswer | OutboundFailure) => Reply;
}

async function askAt<Reply>(
  { clientSecret }: Pick<IdJagWorld, 'clientSecret'>,
  { endpoints, outbound }: TokenIssuers,
  { at: { issuer, clientId: id, clientSecretArn: arn }, form, signal, read }: Asking<Reply>,
): Promise<Reply | { readonly status: 'failed'; readonly detail: string }> {
  const [found, secret] = await Promise.all([endpoints.find(issuer), arn === null ? null : clientSecret(arn)]);
  if (found.status === 'failed') return found;
  const auth = secret === null ? 'none' : secretMethod(found.authMethods);
  return read(await outbound.fetch(tokenRequest(found.url, { id, auth, secret: secret ?? '' }, form), signal));
}

export function readAssertion(reply: OutboundAnswer | OutboundFailure): AssertionReply {
  const read = readTokenReply(reply);
  if (read.status !== 'granted') return read;
  const { host, fields } = read;
  // Another kind of token must not be sent on: it could give access to more than this server.
  if (fields.issued_token_type !== ID_JAG)
    return { status: 'failed', detail: `${host} issued a token that is no ID-JAG` };
  return { status: 'asserted', assertion: fields.access_token };
}

export function readAdmission(reply: OutboundAnswer | OutboundFailure, at: Instant): AdmissionReply {
  const read = readTokenReply(reply);
  if (read.status !== 'granted') return read;
  const { host, fields } = read;
  if (!isBearer(fields)) return { status: 'failed', detail: `${host} answered a token that is no bearer token` };
  return { status: 'admitted', token: fields.access_token, expiresAt: expiryOf(fields, at) };
}

function scopeOf(scopes: readonly string[]): { readonly scope?: string } {
  return scopes.length === 0 ? {} : { scope: scopes.join(' ') };
}
