/** What tests make the authorization server be and do, and what it keeps of what it was sent. */
import type { KeyObject } from 'node:crypto';
import type { NewToken } from './grants.ts';
import type { Client } from './oauth-client.ts';

export interface AuthorizationServerOptions {
  /** Ends the URL of an issuer that has a path: `/tenant`. @default '' */
  readonly path?: string;
  /** What the issuer is called; it listens on 127.0.0.1 whatever it is. @default '127.0.0.1' */
  readonly host?: string;
  readonly clients?: readonly Client[];
  /** Where metadata is found. @default both */
  readonly metadata?: 'oauth' | 'oidc' | 'both';
  /** What is said of itself, changed; a field that is undefined is left out. */
  readonly says?: (honest: Record<string, unknown>) => Record<string, unknown>;
  /** Clients are known by the URL of their metadata document. @default false */
  readonly cimd?: boolean;
  /** @default true */
  readonly registration?: boolean;
  /** The only resources that tokens are issued for; absent: any, or none. */
  readonly resources?: readonly string[];
  /** @default 3600 */
  readonly lifetimeSeconds?: number;
  /** A refresh token is good for one use. @default true */
  readonly rotation?: boolean;
  /** Whose assertions of users (ID-JAG) are taken for tokens. @default nobody's */
  readonly trusts?: () => { readonly issuer: string; readonly publicKey: KeyObject };
  /** How long each token request takes. @default 0 */
  readonly latencyMs?: number;
  /** @default Date.now */
  readonly nowMs?: () => number;
  /** @default random ones */
  readonly newToken?: NewToken;
}

/** What a token request is answered with, instead of what is right; `after` holds it back. */
export type TokenAnswer = Told & { readonly after?: Promise<unknown> };

type Told =
  /** Granted, and told with these fields changed; undefined leaves one out. Without a refresh_token the old one stays. */
  | { readonly do: 'grant'; readonly change: Readonly<Record<string, unknown>> }
  /** Nothing is granted. */
  | { readonly do: 'say'; readonly code: number; readonly type?: string; readonly body: string }
  /** Nothing is granted and the connection breaks. */
  | { readonly do: 'drop' }
  /** The refresh token is used up and the new one is lost on its way. */
  | { readonly do: 'rotate and drop' }
  /** Silence until the other side goes. */
  | { readonly do: 'hang' };

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** The body, read as a form. */
  readonly form: URLSearchParams;
}

export interface Decision {
  /** @default approved */
  readonly error?: { readonly code: string; readonly description: string };
  /** In the redirect: null leaves it out. @default the issuer */
  readonly iss?: string | null;
  /** @default the request's */
  readonly state?: string;
}
