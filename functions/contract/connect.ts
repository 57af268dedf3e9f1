/** Connecting a user to an MCP server: our extension of the contract (`/v1/x/connect`). No token is in any shape here. */
import * as z from 'zod';
import { AllowedHosts } from './outbound.ts';
import { AgentId, ConnectId, Instant, SessionId, VaultId } from './ids.ts';

/** RFC 6749 §3.3: what a scope may be made of. */
const ScopeToken = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'must be one OAuth scope, without spaces');

export const ConnectCreate = z
  .strictObject({
    vault_id: VaultId,
    mcp_server_url: z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }).max(2048),
    /** Who will act for the user: the consent page names it. */
    agent_id: AgentId.optional(),
    /** Instead of what the server's metadata names. */
    scopes: z.array(ScopeToken).max(64).optional(),
    /** Where the browser goes afterwards. */
    return_url: z.string().min(1).max(2048).optional(),
  })
  .meta({ id: 'ConnectCreate' });
export type ConnectCreate = z.infer<typeof ConnectCreate>;

/**
 * Why a link has not led to a credential yet. `cancelled` and `access_denied` were the user's choice, at our page and at
 * the authorization server's; after `vault_closed` the link is of no use. After any other the user may open it again.
 */
export const ConnectError = z.enum([
  'cancelled',
  'access_denied',
  'vault_closed',
  'vault_full',
  'server_unreachable',
  'no_authorization_server',
  'resource_mismatch',
  'issuer_mismatch',
  'insecure_endpoint',
  'pkce_unsupported',
  'registration_required',
  'registration_failed',
  'authorization_failed',
  'exchange_failed',
]);
export type ConnectError = z.infer<typeof ConnectError>;

export const Connect = z
  .object({
    id: ConnectId,
    type: z.literal('connect'),
    status: z.enum(['pending', 'completed', 'failed', 'expired']),
    /** For the user, never for a model. */
    url: z.string(),
    vault_id: VaultId,
    mcp_server_url: z.string(),
    /** As the customer's identity provider names them. */
    user_id: z.string(),
    error: z.object({ type: ConnectError, message: z.string() }).nullable(),
    created_at: Instant,
    expires_at: Instant,
    completed_at: Instant.nullable(),
  })
  .meta({ id: 'Connect' });
export type Connect = z.infer<typeof Connect>;

export const ConnectsQuery = z.strictObject({ session_id: SessionId, beta: z.string().optional() });

const SecretArn = z.string().regex(/^arn:[^:]+:secretsmanager:/, 'must be the whole ARN of a secret');

/** How a customer sets up connecting users: the construct's `connect`, or the context of the same name. */
export const ConnectOptions = z.strictObject({
  /** The OpenID provider at which users log in. */
  issuer: z.url({ protocol: /^https?$/ }),
  clientId: z.string().min(1),
  /** Secrets Manager secret that holds the client's secret as plain text; absent for a public client. */
  clientSecretArn: SecretArn.optional(),
  /** The claim of the ID token that equals a vault's `external_user_id`. @default sub */
  userClaim: z.string().min(1).optional(),
  /** How the service calls itself on pages and at authorization servers. @default Brainstem */
  appName: z.string().min(1).max(64).optional(),
  /** Where the pages are, with a domain of your own. @default /connect of the API */
  baseUrl: z.url({ protocol: /^https$/ }).optional(),
  /** Beside https URLs: origins such as `http://app.internal:3000`, or URLs such as `myapp://connected`. */
  returnUrls: z.array(z.string().min(1)).max(32).optional(),
  /** Private hosts at which the identity provider is reached. */
  allow: AllowedHosts.optional(),
  /** Clients that were registered by hand, by their authorization server's issuer. */
  clients: z
    .array(
      z.strictObject({
        issuer: z.url({ protocol: /^https?$/ }),
        clientId: z.string().min(1).max(2048),
        clientSecretArn: SecretArn.optional(),
      }),
    )
    .max(32)
    .optional(),
  /**
   * MCP servers for which the identity provider of `issuer` decides in place of the user (ID-JAG): nobody is asked for a
   * consent, and where it says no there is none to be had. The client of `clientId` is the one that asks it. What is below
   * such a URL is managed with it.
   */
  managedServers: z
    .array(
      z.strictObject({
        url: z
          .url({ protocol: /^https?$/ })
          .max(2048)
          .refine(hasNoCredentials, 'must not carry credentials'),
        /** @default the URL as it is written here */
        resource: z.url().max(2048).optional(),
        /** Of the authorization server that issues this server's tokens. */
        issuer: z.url({ protocol: /^https?$/ }),
        /** Registered by hand at that authorization server. */
        clientId: z.string().min(1).max(2048),
        clientSecretArn: SecretArn.optional(),
        /** @default what the identity provider and the authorization server give */
        scopes: z.array(ScopeToken).max(64).optional(),
      }),
    )
    // A function's settings have 4 KB in all.
    .max(8)
    .refine(areDifferent, 'must have a URL each')
    .optional(),
});
export type ConnectOptions = z.infer<typeof ConnectOptions>;

function hasNoCredentials(url: string): boolean {
  const { username, password } = new URL(url);
  return username === '' && password === '';
}

function areDifferent(servers: readonly { readonly url: string }[]): boolean {
  return new Set(servers.map(({ url }) => new URL(url).href.replace(/\/+$/, ''))).size === servers.length;
}

/** A client of ours that an authorization server's administrator has registered by hand. */
export const KnownClient = z.object({
  issuer: z.url(),
  clientId: z.string().min(1).max(2048),
  /** Null for a public client. */
  secretArn: z.string().nullable(),
});
export type KnownClient = z.infer<typeof KnownClient>;
export const KnownClients = z.array(KnownClient).max(32);
export type KnownClients = z.infer<typeof KnownClients>;

/** How a deployment's users log in, as the connect function is told. */
export const LoginSettings = z.object({
  issuer: z.url(),
  clientId: z.string().min(1),
  /** Null for a public client. */
  clientSecretArn: z.string().nullable(),
  /** The claim of the ID token that equals a vault's `external_user_id`. */
  userClaim: z.string().min(1),
});
export type LoginSettings = z.infer<typeof LoginSettings>;
