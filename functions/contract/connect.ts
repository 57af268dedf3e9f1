/** Connecting a user to an MCP server: our extension of the contract (`/v1/x/connect`). No token is in any shape here. */
import * as z from 'zod';
import { AgentId, ConnectId, Instant, SessionId, VaultId } from './ids.ts';

/** RFC 6749 §3.3: what a scope may be made of. */
export const ScopeToken = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'must be one OAuth scope, without spaces');

export const ConnectCreate = z
  .strictObject({
    vault_id: VaultId,
    mcp_server_url: z
      .url({
        protocol: /^https?$/,
        error: ({ input }) => (input === undefined ? 'is required' : 'must be an http or https URL'),
      })
      .max(2048),
    /** Who will act for the user: the consent page names it. */
    agent_id: AgentId.optional(),
    /** Instead of what the server's metadata names. */
    scopes: z.array(ScopeToken).max(64).optional(),
    /** The URL to which the browser goes afterwards. */
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
  'foreign_endpoint',
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
    /** The user's name at the customer's identity provider. */
    user_id: z.string(),
    error: z.object({ type: ConnectError, message: z.string() }).nullable(),
    created_at: Instant,
    expires_at: Instant,
    completed_at: Instant.nullable(),
  })
  .meta({ id: 'Connect' });
export type Connect = z.infer<typeof Connect>;

export const ConnectsQuery = z.strictObject({ session_id: SessionId, beta: z.string().optional() });

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

/** How a deployment's users log in: a setting of the connect function. */
export const LoginSettings = z.object({
  issuer: z.url(),
  clientId: z.string().min(1),
  /** Null for a public client. */
  clientSecretArn: z.string().nullable(),
  /** The claim of the ID token that equals a vault's `external_user_id`. */
  userClaim: z.string().min(1),
});
export type LoginSettings = z.infer<typeof LoginSettings>;
