/** Stores the granted tokens as the vault's credential for the server: as a new one, or as new secrets of an existing one. */
import { CredentialId, type Instant } from '#contract/ids.ts';
import type { Credential, McpOAuth } from '#contract/credentials.ts';
import type { ConnectWorld } from '#core/connect/connect-world.ts';
import type { ConnectionTrouble, Granted } from '#core/ports/authorization-server.ts';
import type { Connection } from '#core/ports/connection-records.ts';
import type { Issued } from '#core/ports/login.ts';
import { recordStep, userOfVault, VAULT_CLOSED } from '#core/connect/connection.ts';
import type { Stored } from '#core/connect/settle-connection.ts';
import { later } from '#core/ports/stamp.ts';
import type { SecretPointers, SecretValues } from '#core/ports/secrets.ts';
import type { CredentialPlace, StoredCredential } from '#core/ports/vault-records.ts';

interface Grant {
  readonly record: Connection;
  readonly attempt: Issued;
  readonly granted: Granted;
  readonly clientSecret: string | null;
}

/** The version of a new credential: its id is fresh, so a row with this id at any version proves that it was stored. */
const NEW = 0;

/** A refresh, or an attempt in another tab, may change the row at the same time. */
const MAX_RACES = 5;

export async function storeCredential(world: ConnectWorld, grant: Grant): Promise<Stored | ConnectionTrouble> {
  const { record } = grant;
  for (let race = 0; race < MAX_RACES; race += 1) {
    const [match] = await world.credentials.match(record.workspace, [record.vault], record.server.url);
    if (userOfVault(match?.vault ?? null) !== record.user) return VAULT_CLOSED;
    const stored = match?.stored ?? null;
    const outcome = stored === null ? await add(world, grant) : await renew(world, grant, stored);
    if (outcome.status !== 'lost') return outcome;
  }
  return { status: 'trouble', error: 'exchange_failed', detail: `the credential changed ${MAX_RACES} times meanwhile` };
}

interface Lost {
  /** Another process changed the credential. */
  readonly status: 'lost';
}

async function add(world: ConnectWorld, grant: Grant): Promise<Stored | Lost | ConnectionTrouble> {
  const { record, attempt } = grant;
  const place = placeIn(record, CredentialId.parse(`vcrd_${world.newToken()}`));
  const now = world.stamp.now();
  const credential: Credential = {
    id: place.credential,
    type: 'vault_credential',
    vault_id: record.vault,
    display_name: record.server.name,
    metadata: {},
    auth: authOf(grant, now),
    created_at: now,
    updated_at: now,
    archived_at: null,
  };
  await world.credentials.announce(place, now);
  const secrets = await write(world, grant, { place, version: NEW, inForce: {} });
  const issued = { secrets, issuer: attempt.issuer, grantedScopes: grantedScopes(grant) };
  const created = await world.credentials.create(
    { workspace: record.workspace, credential, ...issued },
    record.server.url,
    record.user,
  );
  if (created.status === 'created') return { status: 'stored' };
  // No row points at these secrets.
  await world.secrets.remove(place);
  switch (created.status) {
    case 'duplicate':
      return { status: 'lost' };
    case 'full':
      return { status: 'trouble', error: 'vault_full', detail: 'the vault has as many as it may have' };
    case 'closed':
      return VAULT_CLOSED;
    default:
      return created satisfies never;
  }
}

/** While the credential is not archived its vault names this user; an archived credential makes the replacement fail. */
async function renew(
  world: ConnectWorld,
  grant: Grant,
  stored: StoredCredential,
): Promise<Stored | Lost | ConnectionTrouble> {
  const now = world.stamp.now();
  const version = stored.version + 1;
  const place = placeIn(grant.record, stored.credential.id);
  const secrets = await write(world, grant, { place, version, inForce: stored.secrets });
  const credential: Credential = { ...stored.credential, auth: authOf(grant, now), updated_at: now };
  const issued = { secrets, issuer: grant.attempt.issuer, grantedScopes: grantedScopes(grant) };
  const saved = await world.credentials.replace({ ...stored, ...issued, credential, version });
  return { status: saved === 'saved' ? 'stored' : 'lost' };
}

/** Writes the audit trail first, then which row will be the proof, then the secrets. The caller writes that row last. */
async function write(
  world: ConnectWorld,
  { record, granted, clientSecret }: Grant,
  to: { readonly place: CredentialPlace; readonly version: number; readonly inForce: SecretPointers },
) {
  const { place, version, inForce } = to;
  const { credential } = place;
  await recordStep(world, record, { action: 'connect.stored', credential });
  await world.connections.storing(record.id, { credential, version, since: world.stamp.now() });
  return world.secrets.write(place, 'mcp_oauth', secretsOf(granted, clientSecret), inForce);
}

function placeIn({ workspace, vault }: Connection, credential: CredentialId): CredentialPlace {
  return { workspace, vault, credential };
}

function secretsOf({ accessToken, refreshToken }: Granted, clientSecret: string | null): SecretValues {
  return {
    access_token: accessToken,
    ...(refreshToken !== null && { refresh_token: refreshToken }),
    // Only a refresh uses it.
    ...(refreshToken !== null && clientSecret !== null && { client_secret: clientSecret }),
  };
}

function authOf({ record, attempt, granted }: Grant, now: Instant): McpOAuth {
  const { expiresInSeconds, refreshToken } = granted;
  const refresh = {
    client_id: attempt.client.id,
    token_endpoint: attempt.tokenEndpoint,
    token_endpoint_auth: { type: attempt.client.auth },
    resource: attempt.resource,
    // A refresh without a scope asks for what was granted.
    scope: null,
  };
  return {
    type: 'mcp_oauth',
    mcp_server_url: record.server.url,
    expires_at: expiresInSeconds === null ? null : later(now, expiresInSeconds * 1000),
    refresh: refreshToken === null ? null : refresh,
  };
}

/** RFC 6749 §5.1: a server that names no scopes has granted those that were asked for. */
function grantedScopes({ granted, attempt }: Grant): readonly string[] {
  return granted.scopes ?? attempt.scopes;
}
