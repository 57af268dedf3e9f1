/**
 * The plan that the user is asked to approve, and what their approval does. Before the approval nothing exists that could
 * answer an authorization server (`docs/security.md`, Consent).
 */
import { recordStep, userOfVault, VAULT_CLOSED } from '#core/connect/connection.ts';
import { chooseClient, redirectUrl } from '#core/connect/registration.ts';
import type { Visitor } from '#core/connect/visitor.ts';
import type { ConnectWorld } from '#core/connect/connect-world.ts';
import type { ConnectionTrouble, Discovered } from '#core/ports/authorization-server.ts';
import type { Connection, ConnectionAttempt } from '#core/ports/connection-records.ts';
import { later } from '#core/ports/stamp.ts';
import type { Seals } from '#core/ports/login.ts';
import type { StoredCredential } from '#core/ports/vault-records.ts';

export interface ConnectionPlan {
  readonly status: 'planned';
  readonly discovered: Discovered;
  readonly scopes: readonly string[];
}

/** Finds out what an approval would do before the user is asked, so that the page shows where it leads. */
export async function planConsent(
  world: ConnectWorld,
  record: Connection,
): Promise<ConnectionPlan | ConnectionTrouble> {
  const [match] = await world.credentials.match(record.workspace, [record.vault], record.server.url);
  // The vault may have been archived, or given to another user, since the link was made.
  if (userOfVault(match?.vault ?? null) !== record.user) return VAULT_CLOSED;
  const discovered = await world.servers.discover(record.server);
  if (discovered.status === 'trouble') return discovered;
  const foreign = foreignEndpoint(world.knownClients, discovered);
  if (foreign !== null) return foreign;
  const granted = grantedThere(match?.stored ?? null, discovered);
  return { status: 'planned', discovered, scopes: chooseScopes(discovered, { asked: record.scopes, granted }) };
}

/**
 * Any server can write another service's authorization endpoint into its metadata, and would get that service's code, and with
 * it the token, of a user who approves there (RFC 9700 §4.4). So all endpoints are the issuer's own, unless an administrator
 * has named the issuer.
 */
export function foreignEndpoint(
  known: ConnectWorld['knownClients'],
  { issuer, authorizationEndpoint, tokenEndpoint, registrationEndpoint }: Discovered,
): ConnectionTrouble | null {
  if (known.some((client) => client.issuer === issuer)) return null;
  const named = [authorizationEndpoint, tokenEndpoint, registrationEndpoint].filter((one) => one !== null);
  const foreign = named.find((one) => originOf(one) !== originOf(issuer));
  if (foreign === undefined) return null;
  return { status: 'trouble', error: 'foreign_endpoint', detail: `${originOf(issuer)} names ${originOf(foreign)}` };
}

/** Scheme, host and port, as a browser compares them. */
function originOf(url: string): string {
  return new URL(url).origin;
}

/** The scopes that the credential has: only the authorization server that granted them may learn them. */
function grantedThere(stored: StoredCredential | null, there: Discovered): readonly string[] {
  if (stored === null) return [];
  const { auth } = stored.credential;
  const refresh = auth.type === 'mcp_oauth' ? auth.refresh : null;
  // A credential that came over the API names its issuer only by the endpoint at which it is refreshed.
  const isFrom =
    stored.issuer === null ? refresh?.token_endpoint === there.tokenEndpoint : stored.issuer === there.issuer;
  if (!isFrom) return [];
  return stored.grantedScopes ?? refresh?.scope?.split(' ').filter((scope) => scope !== '') ?? [];
}

/**
 * The scopes that were asked for, or else those that the server needs, or else none, which leaves the choice to the
 * authorization server. The scopes granted before are added, because what is granted now replaces what was granted before, and
 * `offline_access` where the server knows it.
 */
export function chooseScopes(
  { neededScopes, serverScopes }: Pick<Discovered, 'neededScopes' | 'serverScopes'>,
  { asked, granted }: { readonly asked: readonly string[]; readonly granted: readonly string[] },
): readonly string[] {
  const wanted = asked.length > 0 ? asked : (neededScopes ?? []);
  if (wanted.length === 0) return [];
  const offline = serverScopes.includes('offline_access') ? ['offline_access'] : [];
  return [...new Set([...granted, ...wanted, ...offline])];
}

/** Two plans with one text do the same. */
export function planText(record: Connection, { discovered, scopes }: ConnectionPlan): string {
  const { issuer, authorizationEndpoint, tokenEndpoint, resource } = discovered;
  return JSON.stringify([record.id, issuer, authorizationEndpoint, tokenEndpoint, resource, scopes]);
}

/** The time that the user has at the authorization server. */
const ATTEMPT_MS = 10 * 60_000;

type Approved =
  | { readonly status: 'approved'; readonly url: string }
  /** The connection is not pending any more. */
  | { readonly status: 'over' }
  | ConnectionTrouble;

export async function approve(
  world: ConnectWorld,
  { record, visitor }: { readonly record: Connection; readonly visitor: Visitor },
  { discovered, scopes }: ConnectionPlan,
): Promise<Approved> {
  const chosen = await chooseClient(world, record, discovered);
  if (chosen.status === 'trouble') return chosen;
  await recordStep(world, record, { action: 'connect.approved' });
  const nonce = world.newToken();
  const { issuer, namesItself, tokenEndpoint, resource } = discovered;
  const until = later(world.stamp.now(), ATTEMPT_MS);
  const { client } = chosen;
  const asked = { issuer, namesItself, tokenEndpoint, resource, scopes: [...scopes] };
  const attempt: ConnectionAttempt = { nonce, until, client, ...asked };
  if ((await world.connections.begin(record.id, attempt)) === 'conflict') return { status: 'over' };
  const url = await world.servers.authorizationUrl(discovered, {
    clientId: client.id,
    redirectUrl: redirectUrl(world, attempt),
    state: await stateOf(world.seals, { id: record.id, nonce, browser: visitor.browser }),
    verifier: await verifierOf(world.seals, record.id, nonce),
    scopes,
  });
  return { status: 'approved', url };
}

/** Names the connection and the attempt, and is valid in one browser only. */
async function stateOf(
  seals: Seals,
  { id, nonce, browser }: { readonly id: string; readonly nonce: string; readonly browser: string },
): Promise<string> {
  return `${id}.${nonce}.${await seals.seal('state', `${id}.${nonce}.${browser}`)}`;
}

/** PKCE's secret: it is derived when it is needed, so that it is not stored. */
export function verifierOf(seals: Seals, id: string, nonce: string): Promise<string> {
  return seals.seal('verifier', `${id}.${nonce}`);
}
