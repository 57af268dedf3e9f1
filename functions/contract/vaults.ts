/** Vaults and credentials (contract §2.7). Secret fields are taken and never told: they are in no response schema. */
import * as z from 'zod';
import { CredentialId, Instant, VaultId } from './ids.ts';
import { Metadata, MetadataPatch } from './metadata.ts';

const DisplayName = z.string().min(1).max(255);

/** The person a vault belongs to, as the customer's identity provider names them (`sub`). */
export const USER_KEY = 'external_user_id';

/** Nobody is called nothing: the metadata of a vault of no user is without the key. */
function naming<Pairs extends MetadataPatch>(metadata: z.ZodType<Pairs>) {
  return metadata.refine((pairs) => pairs[USER_KEY] !== '', { path: [USER_KEY], error: 'must not be empty' });
}

export const VaultCreate = z
  .strictObject({ display_name: DisplayName, metadata: naming(Metadata).optional() })
  .meta({ id: 'VaultCreate' });
export type VaultCreate = z.infer<typeof VaultCreate>;

export const VaultUpdate = z
  .strictObject({ display_name: DisplayName.nullish(), metadata: naming(MetadataPatch).nullish() })
  .meta({ id: 'VaultUpdate' });
export type VaultUpdate = z.infer<typeof VaultUpdate>;

export const Vault = z
  .object({
    id: VaultId,
    type: z.literal('vault'),
    display_name: z.string(),
    metadata: Metadata,
    created_at: Instant,
    updated_at: Instant,
    archived_at: Instant.nullable(),
  })
  .meta({ id: 'Vault' });
export type Vault = z.infer<typeof Vault>;

/** Quoted and named, it is as large as Secrets Manager takes a secret. */
const MAX_QUOTED_BYTES = 65_000;

/** What a header, a form field or an environment variable may carry. */
const Secret = z
  .string()
  .min(1)
  .max(32_768)
  .regex(/^[^\p{Cc}]*$/u, 'must not have control characters')
  .refine((text) => new TextEncoder().encode(JSON.stringify(text)).length <= MAX_QUOTED_BYTES, {
    error: `must have at most ${MAX_QUOTED_BYTES} bytes as JSON`,
  })
  .meta({ writeOnly: true });
const HttpsUrl = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }).max(2048);
const Expiry = z.iso.datetime({ offset: true });
const Scope = z.string().max(4096);

const SecretTokenEndpointAuth = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('none') }),
  z.strictObject({ type: z.literal('client_secret_basic'), client_secret: Secret }),
  z.strictObject({ type: z.literal('client_secret_post'), client_secret: Secret }),
]);

export const McpOAuthCreate = z.strictObject({
  type: z.literal('mcp_oauth'),
  mcp_server_url: HttpsUrl,
  access_token: Secret,
  expires_at: Expiry.nullish(),
  refresh: z
    .strictObject({
      client_id: z.string().min(1).max(2048),
      token_endpoint: HttpsUrl,
      refresh_token: Secret,
      token_endpoint_auth: SecretTokenEndpointAuth,
      resource: z.string().min(1).max(2048).nullish(),
      scope: Scope.nullish(),
    })
    .nullish(),
});
export type McpOAuthCreate = z.infer<typeof McpOAuthCreate>;

const StaticBearerCreate = z.strictObject({
  type: z.literal('static_bearer'),
  mcp_server_url: HttpsUrl,
  token: Secret,
});

const MAX_ALLOWED_HOSTS = 16;
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const HOST = new RegExp(`^(?:\\*\\.)?${LABEL}(?:\\.${LABEL})*$`);

const CredentialNetworking = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('unrestricted') }),
  z.strictObject({
    type: z.literal('limited'),
    allowed_hosts: z
      .array(
        z
          .string()
          .min(1)
          .max(253)
          .regex(HOST, 'must be a host name, an IPv4 address or "*." and a domain, without scheme, port or path'),
      )
      .min(1)
      .max(MAX_ALLOWED_HOSTS),
  }),
]);

/** `undefined` is absent; null is refused (contract §2.7). */
const InjectionLocation = z.strictObject({ header: z.boolean().optional(), body: z.boolean().optional() });

export const EnvironmentVariableCreate = z.strictObject({
  type: z.literal('environment_variable'),
  secret_name: z
    .string()
    .min(1)
    .max(255)
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable'),
  secret_value: Secret,
  networking: CredentialNetworking,
  injection_location: InjectionLocation.optional(),
});
export type EnvironmentVariableCreate = z.infer<typeof EnvironmentVariableCreate>;

export const CredentialCreate = z
  .strictObject({
    auth: z.discriminatedUnion('type', [McpOAuthCreate, StaticBearerCreate, EnvironmentVariableCreate]),
    display_name: z.string().max(255).nullish(),
    metadata: Metadata.optional(),
  })
  .meta({ id: 'CredentialCreate' });
export type CredentialCreate = z.infer<typeof CredentialCreate>;

/** A field that stays for good is known, and refused by its own rule. */
const Immutable = z.never('stays as it was created: archive the credential and create another').optional();

/** Null keeps what is saved, but for an expiry and a credential's name, which it clears. */
export const CredentialUpdate = z
  .strictObject({
    auth: z
      .discriminatedUnion('type', [
        z.strictObject({
          type: z.literal('mcp_oauth'),
          mcp_server_url: Immutable,
          access_token: Secret.nullish(),
          expires_at: Expiry.nullish(),
          refresh: z
            .strictObject({
              client_id: Immutable,
              token_endpoint: Immutable,
              resource: Immutable,
              refresh_token: Secret.nullish(),
              scope: Scope.nullish(),
              token_endpoint_auth: z
                .discriminatedUnion('type', [
                  z.strictObject({ type: z.literal('client_secret_basic'), client_secret: Secret.nullish() }),
                  z.strictObject({ type: z.literal('client_secret_post'), client_secret: Secret.nullish() }),
                ])
                .optional(),
            })
            .nullish(),
        }),
        z.strictObject({ type: z.literal('static_bearer'), mcp_server_url: Immutable, token: Secret.nullish() }),
        z.strictObject({
          type: z.literal('environment_variable'),
          secret_name: Immutable,
          secret_value: Secret.nullish(),
          networking: CredentialNetworking.nullish(),
          injection_location: InjectionLocation.optional(),
        }),
      ])
      .optional(),
    display_name: DisplayName.nullish(),
    metadata: MetadataPatch.nullish(),
  })
  .meta({ id: 'CredentialUpdate' });
export type CredentialUpdate = z.infer<typeof CredentialUpdate>;

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

export const StaticBearer = z.object({ type: z.literal('static_bearer'), mcp_server_url: z.string() });

export const EnvironmentVariable = z.object({
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

export const VaultDeleted = z.object({ id: VaultId, type: z.literal('vault_deleted') }).meta({ id: 'VaultDeleted' });
export type VaultDeleted = z.infer<typeof VaultDeleted>;
export const CredentialDeleted = z
  .object({ id: CredentialId, type: z.literal('vault_credential_deleted') })
  .meta({ id: 'CredentialDeleted' });
export type CredentialDeleted = z.infer<typeof CredentialDeleted>;

/** What a server said, scrubbed of secrets and cut to size. */
export const HttpResponse = z.object({
  status_code: z.int(),
  content_type: z.string(),
  body: z.string(),
  body_truncated: z.boolean(),
});
export type HttpResponse = z.infer<typeof HttpResponse>;

export const CredentialValidation = z
  .object({
    type: z.literal('vault_credential_validation'),
    credential_id: CredentialId,
    vault_id: VaultId,
    validated_at: Instant,
    has_refresh_token: z.boolean(),
    status: z.enum(['valid', 'invalid', 'unknown']),
    /** The MCP method that failed; null when none did, or there was nothing to test. */
    mcp_probe: z.object({ method: z.string(), http_response: HttpResponse.nullable() }).nullable(),
    /** Null when none was tried. */
    refresh: z
      .object({
        status: z.enum(['succeeded', 'failed', 'connect_error', 'no_refresh_token']),
        http_response: HttpResponse.nullable(),
      })
      .nullable(),
  })
  .meta({ id: 'CredentialValidation' });
export type CredentialValidation = z.infer<typeof CredentialValidation>;
