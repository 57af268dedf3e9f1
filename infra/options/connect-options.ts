import { ScopeToken } from '#contract/connect.ts';
import { AllowedHosts } from '#contract/outbound.ts';
import * as z from 'zod';
import { group, SecretArn } from './group.ts';

const HttpUrl = urlOf(/^https?$/, 'must be an http or https URL');
const ClientId = z.string().min(1).max(2048);
const ClientSecretArn = SecretArn.optional().meta({
  description: 'The secret that holds the client secret, as plain text.',
  default: 'a public client',
});

const Client = group({
  issuer: HttpUrl.describe('The authorization server.'),
  clientId: ClientId.describe('The client id that the administrator of the authorization server gave.'),
  clientSecretArn: ClientSecretArn,
});

const ManagedServer = group({
  url: HttpUrl.max(2048)
    .refine(hasNoCredentials, 'must not carry credentials')
    .describe('The URL of the server. Servers below this URL are managed too.'),
  resource: z
    .url()
    .max(2048)
    .optional()
    .meta({ description: 'The resource that tokens are for (RFC 8707).', default: 'the `url` as written' }),
  issuer: HttpUrl.describe('The authorization server that issues the tokens of this server.'),
  clientId: ClientId.describe('The client id that the administrator of that authorization server gave.'),
  clientSecretArn: ClientSecretArn,
  scopes: z
    .array(ScopeToken)
    .max(64)
    .optional()
    .meta({ description: 'The scopes to ask for.', default: 'what both servers give' }),
});

export const ConnectOptions = group({
  issuer: HttpUrl.describe('The OpenID provider at which users log in.'),
  clientId: z.string().min(1).describe('The client id of the service at `issuer`.'),
  clientSecretArn: ClientSecretArn,
  userClaim: z
    .string()
    .min(1)
    .default('sub')
    .describe('The claim of the ID token that equals the `external_user_id` of a vault.'),
  appName: z
    .string()
    .min(1)
    .max(64)
    .default('Brainstem')
    .describe('The name of the service on its pages and at authorization servers.'),
  baseUrl: urlOf(/^https$/, 'must be an https URL')
    .optional()
    .meta({ description: 'The address of the pages, if you give them a domain.', default: '`/connect` of the API' }),
  returnUrls: z
    .array(z.string().min(1))
    .max(32)
    .default([])
    .describe(
      'Where a browser may return to, besides https URLs: origins such as `http://app.internal:3000` and URLs such as ' +
        '`myapp://connected`.',
    ),
  allow: AllowedHosts.default([]).describe('Private hosts at which the service reaches the OpenID provider.'),
  clients: z
    .array(Client)
    .max(32)
    .default([])
    .describe('Clients that administrators of authorization servers registered by hand.'),
  managedServers: z
    .array(ManagedServer)
    // The settings of a function, which Lambda bounds, hold them all (infra/constructs/settings-limit.ts).
    .max(8)
    .refine(areDifferent, 'must have a URL each')
    .default([])
    .describe(
      'MCP servers for which the provider of `issuer` decides in place of the user (ID-JAG): the service asks it as the client ' +
        'of `clientId`, and no user is asked.',
    ),
});
export type ConnectOptions = z.output<typeof ConnectOptions>;

function urlOf(protocol: RegExp, rule: string) {
  return z.url({ protocol, error: ({ code }) => (code === 'invalid_format' ? rule : undefined) });
}

function hasNoCredentials(url: string): boolean {
  const { username, password } = new URL(url);
  return username === '' && password === '';
}

function areDifferent(servers: readonly { readonly url: string }[]): boolean {
  return new Set(servers.map(({ url }) => new URL(url).href.replace(/(?<!\/)\/+$/, ''))).size === servers.length;
}
