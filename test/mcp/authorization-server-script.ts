/** The behaviour that tests give the authorization server, and its record of requests. */
import type { KeyObject } from 'node:crypto';
import type { NewToken } from './grants.ts';
import type { Client } from './oauth-client.ts';

export interface AuthorizationServerOptions {
  /** The path at the end of the issuer's URL: `/tenant`. @default '' */
  readonly path?: string;
  /** The host name in the issuer's URL; it always listens on 127.0.0.1. @default '127.0.0.1' */
  readonly host?: string;
  readonly clients?: readonly Client[];
  /** The kinds of metadata that it serves. @default both */
  readonly metadata?: 'oauth' | 'oidc' | 'both';
  /** Changes its metadata; a field that is undefined is left out. */
  readonly says?: (honest: Record<string, unknown>) => Record<string, unknown>;
  /** It accepts the URL of a metadata document as a client id. @default false */
  readonly cimd?: boolean;
  /** @default true */
  readonly registration?: boolean;
  /** The only resources for which it issues tokens; absent: any, or none. */
  readonly resources?: readonly string[];
  /** @default 3600 */
  readonly lifetimeSeconds?: number;
  /** A refresh token is good for one use. @default true */
  readonly rotation?: boolean;
  /** The issuers of assertions (ID-JAG) that it accepts for tokens. @default none */
  readonly trusts?: () => { readonly issuer: string; readonly publicKey: KeyObject };
  /** Milliseconds that each token request takes. @default 0 */
  readonly latencyMs?: number;
  /** @default Date.now */
  readonly nowMs?: () => number;
  /** @default random ones */
  readonly newToken?: NewToken;
}

/** An answer to a token request in place of the right one; `after` delays it. */
export type TokenAnswer = Told & { readonly after?: Promise<unknown> };

type Told =
  /**
   * Grants, and answers with these fields changed; undefined leaves one out. Without a refresh_token the old one stays
   * valid.
   */
  | { readonly do: 'grant'; readonly change: Readonly<Record<string, unknown>> }
  /** Grants nothing. */
  | { readonly do: 'say'; readonly code: number; readonly type?: string; readonly body: string }
  /** Grants nothing and closes the connection. */
  | { readonly do: 'drop' }
  /** Uses up the refresh token and closes the connection before the answer. */
  | { readonly do: 'rotate and drop' }
  /** Does not answer until the client closes the connection. */
  | { readonly do: 'hang' };

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** The body, parsed as a form. */
  readonly form: URLSearchParams;
}

export interface Decision {
  /** @default approved */
  readonly error?: { readonly code: string; readonly description: string };
  /** The `iss` of the redirect; null leaves it out. @default the issuer */
  readonly iss?: string | null;
  /** The `state` of the redirect. @default the request's */
  readonly state?: string;
}
