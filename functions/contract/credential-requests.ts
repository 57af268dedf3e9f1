/** Requests about credentials. They hold secrets, which no stored shape and no response holds. */
import * as z from 'zod';
import { Metadata, MetadataPatch } from './metadata.ts';

/** As JSON it is as large as a secret may be in Secrets Manager. */
const MAX_QUOTED_BYTES = 65_000;

/** Characters that a header, a form field or an environment variable may hold. */
const Secret = z
  .string()
  .min(1)
  .max(32_768)
  .regex(/^[^\p{Cc}]*$/u, 'must not have control characters')
  .refine((text) => new TextEncoder().encode(JSON.stringify(text)).length <= MAX_QUOTED_BYTES, {
    error: `must have at most ${MAX_QUOTED_BYTES} bytes as JSON`,
  })
  .meta({ writeOnly: true });
const HttpUrl = z
  .url({
    protocol: /^https?$/,
    error: ({ input }) => (input === undefined ? 'is required' : 'must be an http or https URL'),
  })
  .max(2048);
const Expiry = z.iso.datetime({ offset: true });
const Scope = z.string().max(4096);

const SecretTokenEndpointAuth = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('none') }),
  z.strictObject({ type: z.literal('client_secret_basic'), client_secret: Secret }),
  z.strictObject({ type: z.literal('client_secret_post'), client_secret: Secret }),
]);

export const McpOAuthCreate = z.strictObject({
  type: z.literal('mcp_oauth'),
  mcp_server_url: HttpUrl,
  access_token: Secret,
  expires_at: Expiry.nullish(),
  refresh: z
    .strictObject({
      client_id: z.string().min(1).max(2048),
      token_endpoint: HttpUrl,
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
  mcp_server_url: HttpUrl,
  token: Secret,
});

const MAX_ALLOWED_HOSTS = 16;
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const NAME = new RegExp(`^(?:\\*\\.)?${LABEL}(?:\\.${LABEL})*$`);
/** A URL takes a host that ends in a number for an IPv4 address, and writes it in this form. */
const ENDS_IN_NUMBER = /(?:^|\.)(?:\d+|0x[\da-f]*)$/i;
const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);

const AllowedHost = z
  .string()
  .min(1)
  .max(253)
  .refine((host) => (ENDS_IN_NUMBER.test(host) ? IPV4.test(host) : NAME.test(host)), {
    error: 'must be a host name, an IPv4 address or "*." and a domain, without scheme, port or path',
  });

/**
 * Variables that decide how programs start, find their libraries or reach the network. A placeholder in one of them would
 * break most programs of a sandbox.
 */
const STEERING_VARIABLES: readonly RegExp[] = [
  /^(?:PATH|HOME|PWD|OLDPWD|SHELL|TERM|TMPDIR|IFS|ENV|CDPATH|GLOBIGNORE|PS4|PROMPT_COMMAND|POSIXLY_CORRECT)$/,
  /^(?:UID|EUID|PPID|SHELLOPTS|BASHOPTS|BASH_.*|LD_.*|GCONV_PATH|LOCPATH)$/,
  // The way out of the sandbox, and the authorities that programs trust.
  /^(?:HTTP|HTTPS|ALL|FTP|NO)_PROXY$/i,
  /^(?:SSL_CERT_(?:FILE|DIR)|(?:CURL|REQUESTS|AWS)_CA_BUNDLE|NODE_EXTRA_CA_CERTS|NODE_TLS_REJECT_UNAUTHORIZED)$/,
  /^(?:GIT_SSL_.*|PIP_CERT|npm_config_(?:ca|cafile|(?:https?_)?proxy)|CARGO_HTTP_(?:CAINFO|PROXY)|DENO_CERT)$/i,
  // Interpreters and compilers.
  /^(?:NODE_(?:OPTIONS|PATH|USE_ENV_PROXY)|PYTHON(?:PATH|HOME|STARTUP)|PERL5(?:LIB|OPT)|RUBY(?:OPT|LIB)|GEM_(?:PATH|HOME))$/,
  /^(?:(?:JAVA_TOOL|_JAVA|JDK_JAVA)_OPTIONS|CLASSPATH|GOPATH|GOFLAGS|GOROOT|CPATH|LIBRARY_PATH|PKG_CONFIG_PATH)$/,
  /^GIT_(?:DIR|WORK_TREE|INDEX_FILE|EXEC_PATH|CONFIG.*|SSH.*|ASKPASS|PROXY_COMMAND)$/,
];

const CredentialNetworking = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('unrestricted') }),
  z.strictObject({
    type: z.literal('limited'),
    allowed_hosts: z.array(AllowedHost).min(1).max(MAX_ALLOWED_HOSTS),
  }),
]);

/** `undefined` is absent; null is refused. */
const InjectionLocation = z.strictObject({ header: z.boolean().optional(), body: z.boolean().optional() });

export const EnvironmentVariableCreate = z.strictObject({
  type: z.literal('environment_variable'),
  secret_name: z
    .string()
    .min(1)
    .max(255)
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable')
    .refine((name) => !STEERING_VARIABLES.some((steering) => steering.test(name)), {
      error: 'is a variable that steers the programs of a sandbox: choose another name',
    }),
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

/** A field that cannot be changed is known, and its own rule refuses it. */
const Immutable = z.never('stays as it was created: archive the credential and create another').optional();

/** Null keeps the saved value, except that it clears an expiry and a credential's name. */
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
    display_name: z.string().min(1).max(255).nullish(),
    metadata: MetadataPatch.nullish(),
  })
  .meta({ id: 'CredentialUpdate' });
export type CredentialUpdate = z.infer<typeof CredentialUpdate>;
