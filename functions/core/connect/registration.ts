/** Chooses the OAuth client as which the service asks an authorization server. It never shows a client to another issuer. */
import type { KnownClient } from '#contract/connect.ts';
import type { ConnectWorld } from '#core/connect/connect-world.ts';
import type { ClientMetadata, ConnectionTrouble, Discovered, Registration } from '#core/ports/authorization-server.ts';
import { secretMethod } from '#core/vault/token-endpoint.ts';
import type { Connection, ConnectionRecords, ConnectionAttempt } from '#core/ports/connection-records.ts';

type RegistrationPorts = Pick<
  ConnectWorld,
  'clients' | 'servers' | 'sha256' | 'knownClients' | 'baseUrl' | 'appName'
> & {
  readonly connections: Pick<ConnectionRecords, 'registerAnew'>;
};

type ChosenClient = { readonly status: 'chosen'; readonly client: ConnectionAttempt['client'] };

/**
 * In this order: a client of the settings, the client's metadata URL, the registered client, a new registration. Every server
 * that takes metadata URLs gives codes to that one client. Only a server that names itself in its answers is asked as it: a
 * hostile one could present the code of another server as its own answer.
 */
export async function chooseClient(
  world: RegistrationPorts,
  record: Pick<Connection, 'id' | 'workspace' | 'attempt'>,
  discovered: Discovered,
): Promise<ChosenClient | ConnectionTrouble> {
  const { workspace } = record;
  const { issuer } = discovered;
  const known = world.knownClients.find((one) => one.issuer === issuer);
  if (known !== undefined) return chosen(knownClient(known, discovered));
  const metadataUrl = clientMetadataUrl(world.baseUrl);
  if (discovered.takesMetadataUrl && discovered.namesItself && metadataUrl.startsWith('https:')) {
    return chosen({ id: metadataUrl, auth: 'none', secret: null });
  }
  const before = await world.clients.find(workspace, issuer);
  if (before !== null && !(await mayBeForgotten(world, record, before))) return chosen(before);
  const answer = await register(world, discovered);
  if (answer.status === 'trouble') return before === null ? answer : chosen(before);
  // What was granted to it stays its own.
  if (before !== null) await world.clients.forget(workspace, issuer, before.id);
  return chosen(await world.clients.save(workspace, issuer, answer));
}

const chosen = (client: ConnectionAttempt['client']): ChosenClient => ({ status: 'chosen', client });

/**
 * A server that has forgotten a client says so on a page of its own, and the browser never comes back. A user who turned
 * back at the server looks the same, so a connection has its client registered anew at most once.
 */
async function mayBeForgotten(
  { connections }: Pick<RegistrationPorts, 'connections'>,
  { id, attempt }: Pick<Connection, 'id' | 'attempt'>,
  client: ConnectionAttempt['client'],
): Promise<boolean> {
  return attempt?.client.id === client.id && (await connections.registerAnew(id)) === 'saved';
}

async function register(world: RegistrationPorts, discovered: Discovered): Promise<Registration | ConnectionTrouble> {
  if (discovered.registrationEndpoint === null) {
    const detail = `${hostOf(discovered.issuer)} registers no clients`;
    return { status: 'trouble', error: 'registration_required', detail };
  }
  return world.servers.register(discovered, clientMetadata(world, discovered));
}

function clientMetadataUrl(baseUrl: string): string {
  return `${baseUrl}/client-metadata.json`;
}

/**
 * A client that its issuer has registered has a redirect URL of its own, so that the code of one issuer does not come back as
 * the answer of another one, although the issuer does not name itself (RFC 9700 §4.4.2.2). Clients that cannot have one
 * for each issuer share one: an administrator registers that URL, or it is in the metadata document. An issuer that registers
 * the service under the id of the metadata document gains nothing by it.
 */
export function redirectUrl(
  { baseUrl, sha256, knownClients }: Pick<ConnectWorld, 'baseUrl' | 'sha256' | 'knownClients'>,
  { issuer, namesItself, client }: Pick<ConnectionAttempt, 'issuer' | 'namesItself' | 'client'>,
): string {
  const isDescribed = namesItself && client.id === clientMetadataUrl(baseUrl);
  const isShared = isDescribed || knownClients.some((known) => known.issuer === issuer);
  return isShared ? sharedRedirectUrl(baseUrl) : ownRedirectUrl({ baseUrl, sha256 }, issuer);
}

function sharedRedirectUrl(baseUrl: string): string {
  return `${baseUrl}/callback`;
}

function ownRedirectUrl({ baseUrl, sha256 }: Pick<ConnectWorld, 'baseUrl' | 'sha256'>, issuer: string): string {
  return `${sharedRedirectUrl(baseUrl)}/${sha256(issuer).slice(0, TAG_DIGITS)}`;
}

const TAG_DIGITS = 32;

/** The document at the metadata URL; `client_id` is that URL itself, byte for byte. */
export function clientMetadataDocument(world: Pick<RegistrationPorts, 'baseUrl' | 'appName'>) {
  return {
    client_id: clientMetadataUrl(world.baseUrl),
    ...metadataWith(world.appName, sharedRedirectUrl(world.baseUrl), 'none'),
  };
}

/** Without a secret where that is possible: PKCE protects the code, and a secret that does not exist cannot leak. */
function clientMetadata(world: RegistrationPorts, { issuer, authMethods }: Discovered): ClientMetadata {
  const method = authMethods.includes('none') ? 'none' : secretMethod(authMethods);
  return metadataWith(world.appName, ownRedirectUrl(world, issuer), method);
}

function metadataWith(
  appName: string,
  redirect: string,
  authMethod: ConnectionAttempt['client']['auth'],
): ClientMetadata {
  return {
    client_name: appName,
    redirect_uris: [redirect],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: authMethod,
    application_type: 'web',
  };
}

function knownClient({ clientId, secretArn }: KnownClient, { authMethods }: Discovered): ConnectionAttempt['client'] {
  return { id: clientId, auth: secretArn === null ? 'none' : secretMethod(authMethods), secret: secretArn };
}

function hostOf(url: string): string {
  return URL.parse(url)?.host ?? 'the authorization server';
}
