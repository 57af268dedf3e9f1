/** As which client the service goes to an authorization server. A client of one issuer is never shown to another. */
import type { KnownClient } from '#contract/connect.ts';
import type {
  AuthorizationServers,
  ClientMetadata,
  ConnectTrouble,
  Discovered,
} from '#core/connect/authorization-server.ts';
import { secretMethod } from '#core/vault/token-endpoint.ts';
import type { ConnectClients, ConnectRecord, Flow } from '#core/connect/connect-records.ts';

export interface RegistrationWorld {
  readonly clients: Pick<ConnectClients, 'find' | 'save'>;
  readonly servers: Pick<AuthorizationServers, 'register'>;
  readonly knownClients: readonly KnownClient[];
  readonly baseUrl: string;
  readonly appName: string;
}

export type ChosenClient = { readonly status: 'chosen'; readonly client: Flow['client'] };

/** Registered by an administrator, known by its metadata's URL, registered before, registered now; or not at all. */
export async function chooseClient(
  world: RegistrationWorld,
  { workspace }: Pick<ConnectRecord, 'workspace'>,
  discovered: Discovered,
): Promise<ChosenClient | ConnectTrouble> {
  const { issuer } = discovered;
  const known = world.knownClients.find((one) => one.issuer === issuer);
  if (known !== undefined) return { status: 'chosen', client: knownClient(known, discovered) };
  const metadataUrl = clientMetadataUrl(world.baseUrl);
  if (discovered.takesMetadataUrl && metadataUrl.startsWith('https:')) {
    return { status: 'chosen', client: { id: metadataUrl, auth: 'none', secret: null } };
  }
  const registered = await world.clients.find(workspace, issuer);
  if (registered !== null) return { status: 'chosen', client: registered };
  if (discovered.registrationEndpoint === null) {
    return { status: 'trouble', error: 'registration_required', detail: `${hostOf(issuer)} registers nobody` };
  }
  const answer = await world.servers.register(discovered, clientMetadata(world, discovered));
  if (answer.status === 'trouble') return answer;
  return { status: 'chosen', client: await world.clients.save(workspace, issuer, answer) };
}

function clientMetadataUrl(baseUrl: string): string {
  return `${baseUrl}/client-metadata.json`;
}

export function redirectUrl(baseUrl: string): string {
  return `${baseUrl}/callback`;
}

/** What the metadata's URL answers; `client_id` is that URL itself, byte for byte. */
export function clientMetadataDocument(world: Pick<RegistrationWorld, 'baseUrl' | 'appName'>) {
  return { client_id: clientMetadataUrl(world.baseUrl), ...metadataWith(world, 'none') };
}

/** Without a secret where that is possible: PKCE protects the code, and what is not kept cannot leak. */
function clientMetadata(world: RegistrationWorld, { authMethods }: Discovered): ClientMetadata {
  return metadataWith(world, authMethods.includes('none') ? 'none' : secretMethod(authMethods));
}

function metadataWith(
  { baseUrl, appName }: Pick<RegistrationWorld, 'baseUrl' | 'appName'>,
  authMethod: Flow['client']['auth'],
): ClientMetadata {
  return {
    client_name: appName,
    redirect_uris: [redirectUrl(baseUrl)],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: authMethod,
    application_type: 'web',
  };
}

function knownClient({ clientId, secretArn }: KnownClient, { authMethods }: Discovered): Flow['client'] {
  return { id: clientId, auth: secretArn === null ? 'none' : secretMethod(authMethods), secret: secretArn };
}

function hostOf(url: string): string {
  return URL.parse(url)?.host ?? 'the authorization server';
}
