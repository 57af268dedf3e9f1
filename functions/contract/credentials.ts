/** Credentials of a vault, as rows and responses hold them: no secret is in any of these shapes. */
import * as z from 'zod';
import { CredentialId, Instant, VaultId } from './ids.ts';
import { Metadata } from './metadata.ts';

const TokenEndpointAuth = z.object({ type: z.enum(['none', 'client_secret_basic', 'client_secret_post']) });

export const McpOAuth = z.object({
  type: z.literal('mcp_oauth'),
  mcp_server_url: z.string(),
  expires_at: Instant.nullable(),
  refresh: z
    .object({
      client_id: z.string(),
      token_endpoint: z.string(),
      token_endpoint_auth: TokenEndpointAuth,
      resource: z.string().nullable(),
      scope: z.string().nullable(),
    })
    .nullable(),
});
export type McpOAuth = z.infer<typeof McpOAuth>;

const StaticBearer = z.object({ type: z.literal('static_bearer'), mcp_server_url: z.string() });

const EnvironmentVariable = z.object({
  type: z.literal('environment_variable'),
  secret_name: z.string(),
  networking: z.discriminatedUnion('type', [
    z.object({ type: z.literal('unrestricted') }),
    z.object({ type: z.literal('limited'), allowed_hosts: z.array(z.string()) }),
  ]),
  injection_location: z.object({ header: z.boolean(), body: z.boolean() }),
});

export const CredentialAuth = z.discriminatedUnion('type', [McpOAuth, StaticBearer, EnvironmentVariable]);
export type CredentialAuth = z.infer<typeof CredentialAuth>;

export const Credential = z
  .object({
    id: CredentialId,
    type: z.literal('vault_credential'),
    vault_id: VaultId,
    display_name: z.string().nullable(),
    auth: CredentialAuth,
    metadata: Metadata,
    created_at: Instant,
    updated_at: Instant,
    archived_at: Instant.nullable(),
  })
  .meta({ id: 'Credential' });
export type Credential = z.infer<typeof Credential>;

export const CredentialDeleted = z
  .object({ id: CredentialId, type: z.literal('vault_credential_deleted') })
  .meta({ id: 'CredentialDeleted' });
export type CredentialDeleted = z.infer<typeof CredentialDeleted>;
