/** What an approval would do, found out before it is asked for, so that people see where it leads. */
import type { AuthorizationServers, ConnectTrouble, Discovered } from '#core/ports/authorization-server.ts';
import type { ConnectRecord } from '#core/ports/connect-records.ts';
import { userOfVault } from '#core/connect/link.ts';
import type { CredentialRecords, StoredCredential } from '#core/ports/vault-records.ts';

export interface ConnectPlan {
  readonly status: 'planned';
  readonly discovered: Discovered;
  readonly scopes: readonly string[];
}

export interface PlanWorld {
  readonly credentials: Pick<CredentialRecords, 'match'>;
  readonly servers: Pick<AuthorizationServers, 'discover'>;
}

export async function planConsent(world: PlanWorld, record: ConnectRecord): Promise<ConnectPlan | ConnectTrouble> {
  const [match] = await world.credentials.match(record.workspace, [record.vault], record.server.url);
  // The vault is asked again: it may be archived by now, or be somebody else's.
  if (userOfVault(match?.vault ?? null) !== record.user) {
    return { status: 'trouble', error: 'vault_closed', detail: 'the vault is archived, gone, or names another user' };
  }
  const discovered = await world.servers.discover(record.server);
  if (discovered.status === 'trouble') return discovered;
  const granted = grantedThere(match?.stored ?? null, discovered);
  return { status: 'planned', discovered, scopes: chooseScopes(discovered, { asked: record.scopes, granted }) };
}

/** What the credential is good for already: told to nobody but the authorization server that it came from. */
function grantedThere(stored: StoredCredential | null, there: Discovered): readonly string[] {
  if (stored === null) return [];
  const { auth } = stored.credential;
  const refresh = auth.type === 'mcp_oauth' ? auth.refresh : null;
  // Of one that came over the API it is known where it is refreshed, and with which scopes.
  const isFrom =
    stored.issuer === null ? refresh?.token_endpoint === there.tokenEndpoint : stored.issuer === there.issuer;
  if (!isFrom) return [];
  return stored.grantedScopes ?? refresh?.scope?.split(' ').filter((scope) => scope !== '') ?? [];
}

/**
 * What was asked for, or else what the server lists, or else nothing, which leaves it to the authorization server; with
 * what was granted before, because a new consent replaces the old one. `offline_access` only where it is known.
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
export function planText(record: ConnectRecord, { discovered, scopes }: ConnectPlan): string {
  const { issuer, authorizationEndpoint, resource } = discovered;
  return JSON.stringify([record.id, issuer, authorizationEndpoint, resource, scopes]);
}
