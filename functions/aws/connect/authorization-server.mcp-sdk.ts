/**
 * Authorization servers, asked by the MCP SDK's helpers, which implement the protocol's order of places and comparisons.
 * This file adds what they leave open: S256 must be named, every endpoint must be one that may be reached, and Basic
 * credentials are encoded as in RFC 6749 §2.3.1.
 */
import { createHash } from 'node:crypto';
import {
  exchangeAuthorization,
  IssuerMismatchError,
  registerClient,
  startAuthorization,
  validateAuthorizationResponseIssuer,
  type AuthorizationServerMetadata,
} from '@modelcontextprotocol/client';
import type {
  AuthorizationServers,
  ConnectionTrouble,
  Granted,
  Registration,
} from '#core/ports/authorization-server.ts';
import type { ConnectionAttempt } from '#core/ports/connection-records.ts';
import { basicAuthorization } from '#core/vault/token-endpoint.ts';
import { refuse, trouble } from '#aws/connect/connection-trouble.mcp-sdk.ts';
import { readingOAuth } from '#aws/connect/oauth-answers.ts';
import { discover, type DiscoveryOptions } from '#aws/connect/discovery.mcp-sdk.ts';
import { OutboundError } from '#core/ports/outbound.ts';

export function createAuthorizationServers(options: DiscoveryOptions): AuthorizationServers {
  const fetch = readingOAuth(options.fetch);
  return {
    async discover(server) {
      try {
        return await discover(options, server);
      } catch (error) {
        return trouble(error instanceof OutboundError ? 'server_unreachable' : 'no_authorization_server', error);
      }
    },

    async register({ issuer, registrationEndpoint, ...discovered }, clientMetadata) {
      try {
        const about = { ...metadataOf({ issuer, ...discovered }), registration_endpoint: registrationEndpoint ?? '' };
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
      // The helper's own verifier would have to be stored; this service derives one when it needs it.
      const challenge = createHash('sha256').update(verifier).digest('base64url');
      authorizationUrl.searchParams.set('code_challenge', challenge);
      return authorizationUrl.href;
    },

    isFrom({ issuer, namesItself }, iss) {
      const answer = { iss: iss ?? undefined, expectedIssuer: issuer, issParameterSupported: namesItself };
      try {
        validateAuthorizationResponseIssuer(answer);
        return true;
      } catch (error) {
        if (error instanceof IssuerMismatchError) return false;
        throw error;
      }
    },

    async exchange(attempt, { code, iss, verifier, redirectUrl, clientSecret }) {
      try {
        const tokens = await exchangeAuthorization(attempt.issuer, {
          metadata: { ...metadataOf(attempt), authorization_response_iss_parameter_supported: attempt.namesItself },
          clientInformation: { client_id: attempt.client.id },
          authorizationCode: code,
          codeVerifier: verifier,
          redirectUri: redirectUrl,
          resource: attempt.resource,
          addClientAuthentication: (headers, body) => authenticate(attempt.client, clientSecret, { headers, body }),
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

/** The part of a server's metadata that the helpers read. */
function metadataOf({
  issuer,
  tokenEndpoint,
  ...more
}: Pick<ConnectionAttempt, 'issuer' | 'tokenEndpoint'> & {
  readonly authorizationEndpoint?: string;
}): AuthorizationServerMetadata {
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
  // RFC 7591 §2: Basic is the default.
  const isPost = auth === 'client_secret_post';
  return { status: 'registered', id, auth: isPost ? 'client_secret_post' : 'client_secret_basic', secret };
}

function authenticate(
  client: ConnectionAttempt['client'],
  secret: string | null,
  { headers, body }: { readonly headers: Headers; readonly body: URLSearchParams },
): void {
  if (client.auth === 'client_secret_basic' && secret !== null) {
    return headers.set('authorization', basicAuthorization(client.id, secret));
  }
  body.set('client_id', client.id);
  if (client.auth === 'client_secret_post' && secret !== null) body.set('client_secret', secret);
}

/** RFC 6750 §2.1 knows fewer characters; these are what a header can carry. */
const TOKEN = /^[\x21-\x7e]{1,32768}$/;
/** A longer lifetime could overflow a date. */
const MAX_LIFETIME_SECONDS = 10 * 365 * 86_400;

type Tokens = Awaited<ReturnType<typeof exchangeAuthorization>>;

function grantedOf({
  access_token,
  refresh_token,
  token_type,
  expires_in,
  scope,
}: Tokens): Granted | ConnectionTrouble {
  if (token_type.toLowerCase() !== 'bearer') return refuse('exchange_failed', 'the token is not a bearer token');
  if (!TOKEN.test(access_token) || (refresh_token !== undefined && !TOKEN.test(refresh_token))) {
    return refuse('exchange_failed', 'a token has characters that no header carries, or too many');
  }
  const lifetime = expires_in === undefined || !(expires_in > 0) ? null : Math.min(expires_in, MAX_LIFETIME_SECONDS);
  return {
    status: 'granted',
    accessToken: access_token,
    refreshToken: refresh_token ?? null,
    expiresInSeconds: lifetime,
    scopes: scope === undefined ? null : scope.split(/\s+/).filter((one) => one !== ''),
  };
}
