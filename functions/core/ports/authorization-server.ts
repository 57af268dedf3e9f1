/** Port of the authorization server behind an MCP server: discovery, registration, the redirect and the code's exchange. */
import type { ConnectError } from '#contract/connect.ts';
import type { ConnectionAttempt } from '#core/ports/connection-records.ts';

/** The checked metadata of the MCP server and of its authorization server. */
export interface Discovered {
  readonly status: 'discovered';
  readonly issuer: string;
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  readonly registrationEndpoint: string | null;
  readonly namesItself: boolean;
  /** Takes a URL that holds a client's metadata as its id. */
  readonly takesMetadataUrl: boolean;
  readonly authMethods: readonly string[];
  /** Names the MCP server in each request, as its own metadata writes it. */
  readonly resource: string;
  /** The scopes in the MCP server's challenge, or else those that it lists; null when it names none. */
  readonly neededScopes: readonly string[] | null;
  readonly serverScopes: readonly string[];
}

export interface ConnectionTrouble {
  readonly status: 'trouble';
  readonly error: ConnectError;
  /** For the log: hosts and codes, no text of the other side. */
  readonly detail: string;
  /** Whether the authorization server does not know this service's client. */
  readonly isClientUnknown?: boolean;
}

export interface Registration {
  readonly status: 'registered';
  readonly id: string;
  readonly auth: ConnectionAttempt['client']['auth'];
  readonly secret: string | null;
}

/** The tokens that a user's approval gave. Their values go to the secret store and nowhere else. */
export interface Granted {
  readonly status: 'granted';
  readonly accessToken: string;
  readonly refreshToken: string | null;
  readonly expiresInSeconds: number | null;
  /** Null when the server names none: then it granted those that were asked for. */
  readonly scopes: readonly string[] | null;
}

/** How this service describes itself to authorization servers. */
export interface ClientMetadata {
  readonly client_name: string;
  readonly redirect_uris: string[];
  readonly grant_types: string[];
  readonly response_types: string[];
  readonly token_endpoint_auth_method: string;
  readonly application_type: 'web';
}

/** An error of the other side is a value. Every request goes through the guarded fetch. */
export interface AuthorizationServers {
  /** Refuses metadata for another resource or issuer, without S256, and endpoints that may not be reached. */
  discover(server: {
    readonly url: string;
    readonly resourceMetadata: string | null;
  }): Promise<Discovered | ConnectionTrouble>;
  register(discovered: Discovered, metadata: ClientMetadata): Promise<Registration | ConnectionTrouble>;
  /** The URL to which the browser is sent; its challenge is the S256 hash of the verifier. */
  authorizationUrl(
    discovered: Discovered,
    request: {
      readonly clientId: string;
      readonly redirectUrl: string;
      readonly state: string;
      readonly verifier: string;
      readonly scopes: readonly string[];
    },
  ): Promise<string>;
  /** RFC 9207: whether an answer with this `iss` can be from the server that was asked. */
  isFrom(attempt: ConnectionAttempt, iss: string | null): boolean;
  exchange(
    attempt: ConnectionAttempt,
    answer: {
      readonly code: string;
      readonly iss: string | null;
      readonly verifier: string;
      readonly redirectUrl: string;
      readonly clientSecret: string | null;
    },
  ): Promise<Granted | ConnectionTrouble>;
}
