/** Port of the authorization server behind an MCP server: discovery, registration, the redirect and the code's exchange. */
import type { ConnectError } from '#contract/connect.ts';
import type { Flow } from '#core/ports/connect-records.ts';

/** What the MCP server's and its authorization server's metadata say, checked. */
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
  /** To be sent with each request: the MCP server, as its own metadata writes it. */
  readonly resource: string;
  /** Those that the MCP server challenges with, or else lists; null when it names none. */
  readonly neededScopes: readonly string[] | null;
  readonly serverScopes: readonly string[];
}

export interface ConnectTrouble {
  readonly status: 'trouble';
  readonly error: ConnectError;
  /** For the log: hosts and codes, nothing that the other side wrote. */
  readonly detail: string;
  /** The authorization server does not know the client that we said we are. */
  readonly isClientUnknown?: boolean;
}

export interface Registration {
  readonly status: 'registered';
  readonly id: string;
  readonly auth: Flow['client']['auth'];
  readonly secret: string | null;
}

/** What consent gave. The values go to the secret store and nowhere else. */
export interface Granted {
  readonly status: 'granted';
  readonly accessToken: string;
  readonly refreshToken: string | null;
  readonly expiresInSeconds: number | null;
  /** Null when the server does not say: what was asked for. */
  readonly scopes: readonly string[] | null;
}

/** How this service describes itself to authorization servers. */
export interface ClientMetadata {
  readonly client_name: string;
  readonly redirect_uris: readonly string[];
  readonly grant_types: readonly string[];
  readonly response_types: readonly string[];
  readonly token_endpoint_auth_method: string;
  readonly application_type: 'web';
}

/** What the other side does wrong is a value. Every request goes through the guarded way out. */
export interface AuthorizationServers {
  /** Refuses metadata for another resource or issuer, without S256, and endpoints that may not be reached. */
  discover(server: {
    readonly url: string;
    readonly resourceMetadata: string | null;
  }): Promise<Discovered | ConnectTrouble>;
  register(discovered: Discovered, metadata: ClientMetadata): Promise<Registration | ConnectTrouble>;
  /** Where the browser is sent; the challenge is the verifier's S256. */
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
  isFrom(flow: Flow, iss: string | null): boolean;
  exchange(
    flow: Flow,
    answer: {
      readonly code: string;
      readonly iss: string | null;
      readonly verifier: string;
      readonly redirectUrl: string;
      readonly clientSecret: string | null;
    },
  ): Promise<Granted | ConnectTrouble>;
}
