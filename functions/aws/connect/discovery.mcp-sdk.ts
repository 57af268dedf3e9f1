/** Finds the authorization server of an MCP server by the SDK's helpers, which ask the protocol's places in their order. */
import {
  checkResourceAllowed,
  discoverOAuthServerInfo,
  extractWWWAuthenticateParams,
  resourceUrlFromServerUrl,
  type AuthorizationServerMetadata,
  type FetchLike,
  type OAuthServerInfo,
} from '@modelcontextprotocol/client';
import type { AllowedHosts } from '#contract/outbound.ts';
import type { ConnectionTrouble, Discovered } from '#core/ports/authorization-server.ts';
import { judgeUrl } from '#core/outbound/destination.ts';
import { refuse } from '#aws/connect/connection-trouble.mcp-sdk.ts';
import { readingOAuth } from '#aws/connect/oauth-answers.ts';

export interface DiscoveryOptions {
  /** Guarded. */
  readonly fetch: FetchLike;
  readonly allow: AllowedHosts;
}

/** Throws what the helpers throw. */
export async function discover(
  { fetch, allow }: DiscoveryOptions,
  { url, resourceMetadata }: { readonly url: string; readonly resourceMetadata: string | null },
): Promise<Discovered | ConnectionTrouble> {
  const challenge = resourceMetadata === null ? await challengeOf(fetch, url) : {};
  const at = resourceMetadata === null ? challenge.resourceMetadataUrl : new URL(resourceMetadata);
  const info = await discoverOAuthServerInfo(url, {
    fetchFn: readingOAuth(fetch),
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
    // As the server writes it: a parsed URL could end in a slash. A server without metadata is its own resource.
    resource: resource?.resource ?? resourceUrlFromServerUrl(url).href,
    neededScopes: challenged === undefined ? (resource?.scopes_supported ?? null) : challenged.split(/\s+/),
    serverScopes: server.scopes_supported ?? [],
  };
}

type Resource = OAuthServerInfo['resourceMetadata'];

/** The server's challenge to a client without a token. It decides only where discovery begins. */
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

/** The browser goes to the authorization endpoint, so that endpoint is judged although this service never asks it. */
function insecure(server: AuthorizationServerMetadata, allow: AllowedHosts): ConnectionTrouble | null {
  const { authorization_endpoint, token_endpoint, registration_endpoint } = server;
  for (const endpoint of [authorization_endpoint, token_endpoint, registration_endpoint]) {
    const judged = endpoint === undefined ? null : judgeUrl(endpoint, allow);
    if (judged?.status === 'blocked') {
      return refuse('insecure_endpoint', `an endpoint at ${judged.host ?? 'an unreadable URL'} ${judged.rule}`);
    }
  }
  return null;
}

function hostOf(url: string): string {
  return URL.parse(url)?.host ?? 'the server';
}
