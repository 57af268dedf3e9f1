/** The two steps from a user's ID token to an access token, each with who is asked, and as whom. */
import type { ManagedServer } from '#contract/enterprise.ts';
import type { Enterprise } from '#core/vault/enterprise.ts';
import {
  admissionRequest,
  assertionRequest,
  readAdmission,
  readAssertion,
  type Admission,
  type Asking,
  type Assertion,
} from '#core/vault/id-jag.ts';
import type { Outbound } from '#core/ports/outbound.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import { secretMethod } from '#core/vault/token-endpoint.ts';

/** Where an issuer takes token requests, by its metadata (RFC 8414, OpenID Connect Discovery). */
export interface TokenEndpoints {
  find(issuer: string): Promise<FoundEndpoint | { readonly status: 'failed'; readonly detail: string }>;
}

export interface FoundEndpoint {
  readonly status: 'found';
  /** As it calls itself: issuers are written with and without a slash at the end. */
  readonly issuer: string;
  readonly url: string;
  readonly authMethods: readonly string[];
}

/** One side of the way: who answers there, and the way out to it. */
export interface TokenIssuers {
  readonly endpoints: TokenEndpoints;
  readonly outbound: Outbound;
}

export interface ExchangeWorld {
  readonly enterprise: Enterprise | null;
  readonly identityProviders: TokenIssuers;
  readonly authorizationServers: TokenIssuers;
  /** Throws `Fault` `secret_unavailable`. */
  readonly clientSecret: (arn: string) => Promise<string>;
  readonly stamp: Pick<Stamp, 'now'>;
}

export async function assertionOf(
  world: ExchangeWorld,
  server: ManagedServer,
  { idToken, signal }: { readonly idToken: string; readonly signal: AbortSignal },
): Promise<Assertion> {
  const { enterprise, identityProviders, authorizationServers } = world;
  if (enterprise === null) return { status: 'failed', detail: 'no identity provider is set up' };
  // For whom the assertion is has to be told in its own words: it compares them letter by letter.
  const audience = await authorizationServers.endpoints.find(server.issuer);
  if (audience.status === 'failed') return audience;
  const asking = await askingAt(world, identityProviders, enterprise.login);
  if (asking.status === 'failed') return asking;
  const request = assertionRequest(asking, { ...server, issuer: audience.issuer }, idToken);
  return readAssertion(await identityProviders.outbound.fetch(request, signal));
}

export async function admissionOf(
  world: ExchangeWorld,
  server: ManagedServer,
  { assertion, signal }: { readonly assertion: string; readonly signal: AbortSignal },
): Promise<Admission> {
  const { authorizationServers, stamp } = world;
  const asking = await askingAt(world, authorizationServers, server);
  if (asking.status === 'failed') return asking;
  const request = admissionRequest(asking, server, assertion);
  return readAdmission(await authorizationServers.outbound.fetch(request, signal), stamp.now());
}

async function askingAt(
  { clientSecret }: Pick<ExchangeWorld, 'clientSecret'>,
  { endpoints }: TokenIssuers,
  { issuer, clientId, clientSecretArn: arn }: Pick<ManagedServer, 'issuer' | 'clientId' | 'clientSecretArn'>,
): Promise<(Asking & { readonly status: 'known' }) | { readonly status: 'failed'; readonly detail: string }> {
  const [found, secret] = await Promise.all([endpoints.find(issuer), arn === null ? null : clientSecret(arn)]);
  if (found.status === 'failed') return found;
  const auth = secret === null ? 'none' : secretMethod(found.authMethods);
  return { status: 'known', tokenEndpoint: found.url, client: { id: clientId, auth, secret: secret ?? '' } };
}
