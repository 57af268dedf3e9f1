/**
 * Authorization servers, asked by the MCP SDK's helpers, which hold the protocol's order of places and its comparisons.
 * What they leave open is closed here: S256 must be named, every endpoint must be one that may be reached, and Basic
 * credentials are encoded as RFC 6749 §2.3.1 says.
 */
import { createHash } from 'node:crypto';
import {
  checkResourceAllowed,
  discoverOAuthServerInfo,
  exchangeAuthorization,
  extractWWWAuthenticateParams,
  IssuerMismatchError,
  OAuthError,
  registerClient,
  RegistrationRejectedError,
  resourceUrlFromServerUrl,
  startAuthorization,
  validateAuthorizationResponseIssuer,
  type AuthorizationServerMetadata,
  type FetchLike,
  type OAuthServerInfo,
} from '@modelcontextprotocol/client';
import type { AllowedHosts } from '#contract/outbound.ts';
import type {
  AuthorizationServers,
  ConnectTrouble,
  Discovered,
  Granted,
  Registration,
} from '#core/connect/authorization-server.ts';
import type { Flow } from '#core/connect/connect-records.ts';
import { judgeUrl } from '#core/outbound/destination.ts';
import { OutboundError } from '#aws/outbound-error.ts';

export interface AuthorizationServersOptions {
  /** Guarded. */
  readonly fetch: FetchLike;
  readonly allow: AllowedHosts;
}

export function createAuthorizationServers(options: AuthorizationServersOptions): AuthorizationServers {
  const { fetch } = options;
  return {
    async discover(server) {
      try {
        return await discover(options, server);
      } catch (error) {
        return trouble(error instanceof OutboundError ? 'server_unreachable' : 'no_authorization_server', error);
      }
    },

    async register({ issuer, registrationEndpoint, ...discovered }, metadata) {
      try {
        const about = { ...metadataOf({ issuer, ...discovered }), registration_endpoint: registrationEndpoint ?? '' };
        const clientMetadata = {
          ...metadata,
          redirect_uris: [...metadata.redirect_uris],
          grant_types: [...metadata.grant_types],
          response_types: [...metadata.response_types],
        };
        const client = await registerClient(issuer, { metadata: about, clientMetadata, fetchFn: fetch });
        const secret = client.client_secret ?? null;
        return registrationOf(client.client_id, secret, client.token_endpoint_auth_method);
      } catch (error) {
        return trouble('registration_failed', error);
      }
    },

    async authorizationUrl(discovered, { clientId, redirectUrl, state, verifier, scopes }) {
      const { authorizationUrl } = await startAuthorization(discovered.issuer, {
        metadata: metadataOf(discovered),
        clientInformation: { client_id: clientId },
        redirectUrl,
        state,
        resource: discovered.resource,
        ...(scopes.length > 0 && { scope: scopes.join(' ') }),
      });
      // The helper makes a verifier that would have to be kept; ours is derived when it is needed.
      const challenge = createHash('sha256').update(verifier).digest('base64url');
      authorizationUrl.searchParams.set('code_challenge', challenge);
      return authorizationUrl.href;
    },

    isFrom({ issuer, namesItself }, iss) {
      const said = { iss: iss ?? undefined, expectedIssuer: issuer, issParameterSupported: namesItself };
      try {
        validateAuthorizationResponseIssuer(said);
        return true;
      } catch (error) {
        if (error instanceof IssuerMismatchError) return false;
        throw error;
      }
    },

    async exchange(flow, { code, iss, verifier, redirectUrl, clientSecret }) {
      try {
        const tokens = await exchangeAuthorization(flow.issuer, {
          metadata: { ...metadataOf(flow), authorization_response_iss_parameter_supported: flow.namesItself },
          clientInformation: { client_id: flow.client.id },
          authorizationCode: code,
          codeVerifier: verifier,
          redirectUri: redirectUrl,
          resource: flow.resource,
          addClientAuthentication: (headers, body) => authenticate(flow.client, clientSecret, { headers, body }),
          fetchFn: fetch,
          ...(iss !== null && { iss }),
        });
        return grantedOf(tokens);
      } catch (error) {
        return trouble('exchange_failed', error);
      }
    },
  };
}

async function discover(
  { fetch, allow }: AuthorizationServersOptions,
  { url, resourceMetadata }: { readonly url: string; readonly resourceMetadata: string | null },
): Promise<Discovered | ConnectTrouble> {
  const challenge = resourceMetadata === null ? await challengeOf(fetch, url) : {};
  const at = resourceMetadata === null ? challenge.resourceMetadataUrl : new URL(resourceMetadata);
  const info = await discoverOAuthServerInfo(url, {
    fetchFn: fetch,
    ...(at !== undefined && { resourceMetadataUrl: at }),
  });
  const { authorizationServerMetadata: server, resourceMetadata: resource } = info;
  if (server === undefined) return refuse('no_authorization_server', `${hostOf(url)} names none that answers`);
  if (resource !== undefined && !isFor(url, resource.resource)) {
    return refuse('resource_mismatch', `the metadata of ${hostOf(url)} is for another resource`);
  }
  if (server.code_challenge_methods_supported?.includes('S256') !== true) {
    return refuse('pkce_unsupported', `${hostOf(server.issuer)} does not name S256`);
  }
  return insecure(server, allow) ?? discovered(url, { server, resource }, challenge.scope);
}

function discovered(
  url: string,
  { server, resource }: { readonly server: AuthorizationServerMetadata; readonly resource: Resource },
  challenged: string | undefined,
): Discovered {
  return {
    status: 'discovered',
    issuer: server.issuer,
    authorizationEndpoint: server.authorization_endpoint,
    tokenEndpoint: server.token_endpoint,
    registrationEndpoint: server.registration_endpoint ?? null,
    namesItself: server.authorization_response_iss_parameter_supported === true,
    takesMetadataUrl: server.client_id_metadata_document_supported === true,
    authMethods: server.token_endpoint_auth_methods_supported ?? [],
    // As the server writes it: a parsed URL would grow a slash. A server without metadata is its own resource.
    resource: resource?.resource ?? resourceUrlFromServerUrl(url).href,
    neededScopes: challenged === undefined ? (resource?.scopes_supported ?? null) : challenged.split(/\s+/),
    serverScopes: server.scopes_supported ?? [],
  };
}

type Resource = OAuthServerInfo['resourceMetadata'];

/** What the server says to a client that has no token yet. Its answer decides nothing but where discovery begins. */
async function challengeOf(fetch: FetchLike, url: string) {
  const params = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'connect', version: '1' },
  };
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }),
  });
  await response.body?.cancel();
  return response.status === 401 ? extractWWWAuthenticateParams(response) : {};
}

function isFor(url: string, resource: string): boolean {
  return URL.canParse(resource) && checkResourceAllowed({ requestedResource: url, configuredResource: resource });
}

/** The browser is sent to the first, so it is judged although nobody here asks it. */
function insecure(server: AuthorizationServerMetadata, allow: AllowedHosts): ConnectTrouble | null {
  const { authorization_endpoint, token_endpoint, registration_endpoint } = server;
  for (const endpoint of [authorization_endpoint, token_endpoint, registration_endpoint]) {
    const judged = endpoint === undefined ? null : judgeUrl(endpoint, allow);
    if (judged?.status === 'blocked') {
      return refuse('insecure_endpoint', `an endpoint at ${judged.host ?? 'an unreadable URL'} ${judged.rule}`);
    }
  }
  return null;
}

/** As much of a server's metadata as the helpers look at. */
function metadataOf({
  issuer,
  tokenEndpoint,
  ...more
}: Pick<Flow, 'issuer' | 'tokenEndpoint'> & { readonly authorizationEndpoint?: string }): AuthorizationServerMetadata {
  return {
    issuer,
    authorization_endpoint: more.authorizationEndpoint ?? issuer,
    token_endpoint: tokenEndpoint,
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
  };
}

function registrationOf(id: string, secret: string | null, auth: string | undefined): Registration {
  if (secret === null) return { status: 'registered', id, auth: 'none', secret };
  // RFC 7591 §2: Basic, when it is not said.
  const isPost = auth === 'client_secret_post';
  return { status: 'registered', id, auth: isPost ? 'client_secret_post' : 'client_secret_basic', secret };
}

function authenticate(
  client: Flow['client'],
  secret: string | null,
  { headers, body }: { readonly headers: Headers; readonly body: URLSearchParams },
): void {
  if (client.auth === 'client_secret_basic' && secret !== null) {
    const pair = `${formEncoded(client.id)}:${formEncoded(secret)}`;
    return headers.set('authorization', `Basic ${Buffer.from(pair).toString('base64')}`);
  }
  body.set('client_id', client.id);
  if (client.auth === 'client_secret_post' && secret !== null) body.set('client_secret', secret);
}

function formEncoded(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1);
}

/** RFC 6750 §2.1 knows fewer characters; these are what a header can carry. */
const TOKEN = /^[\x21-\x7e]{1,32768}$/;
/** Longer than any session, and short enough to add to a date. */
const MAX_LIFETIME_SECONDS = 10 * 365 * 86_400;

type Tokens = Awaited<ReturnType<typeof exchangeAuthorization>>;

function grantedOf({ access_token, refresh_token, token_type, expires_in, scope }: Tokens): Granted | ConnectTrouble {
  if (token_type.toLowerCase() !== 'bearer') return refuse('exchange_failed', 'the token is not a bearer token');
  if (!TOKEN.test(access_token) || (refresh_token !== undefined && !TOKEN.test(refresh_token))) {
    return refuse('exchange_failed', 'a token has characters that no header carries, or too many');
  }
  const lifetime = expires_in === undefined || expires_in < 0 ? null : Math.min(expires_in, MAX_LIFETIME_SECONDS);
  return {
    status: 'granted',
    accessToken: access_token,
    refreshToken: refresh_token ?? null,
    expiresInSeconds: lifetime,
    scopes: scope === undefined ? null : scope.split(/\s+/).filter((one) => one !== ''),
  };
}

function refuse(error: ConnectTrouble['error'], detail: string): ConnectTrouble {
  return { status: 'trouble', error, detail };
}

/** Of what the other side says only its error code is kept: everything else is text of strangers. */
function trouble(otherwise: ConnectTrouble['error'], error: unknown): ConnectTrouble {
  if (error instanceof IssuerMismatchError) return refuse('issuer_mismatch', 'the metadata names another issuer');
  if (error instanceof RegistrationRejectedError) return refuse(otherwise, `registration answered ${error.status}`);
  if (error instanceof OAuthError) {
    const code = /^[a-z_]{1,64}$/.test(error.code) ? error.code : 'an unknown error';
    return { ...refuse(otherwise, code), isClientUnknown: error.code === 'invalid_client' };
  }
  if (error instanceof OutboundError) return refuse(otherwise, error.message);
  return refuse(otherwise, error instanceof Error ? error.name : 'unknown');
}

function hostOf(url: string): string {
  return URL.parse(url)?.host ?? 'the server';
}
