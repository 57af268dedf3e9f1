/** Stores the granted tokens as the vault's credential for the server: as a new one, or as new secrets of an existing one. */
import { CredentialId, type Instant } from '#contract/ids.ts';
import type { Credential, McpOAuth } from '#contract/credentials.ts';
import type { Audit } from '#core/ports/audit.ts';
import type { ConnectionTrouble, Granted } from '#core/ports/authorization-server.ts';
import type { Connection, ConnectionRecords } from '#core/ports/connection-records.ts';
import type { Issued } from '#core/ports/login.ts';
import { administration, userOfVault, VAULT_CLOSED } from '#core/connect/connection.ts';
import type { Stored } from '#core/connect/settle-connection.ts';
import { later } from '#core/ports/instant.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import type { SecretPointers, SecretValues, SecretWriter } from '#core/ports/secrets.ts';
import type { CredentialPlace, CredentialRecords, StoredCredential } from '#core/ports/vault-records.ts';

export interface StoreWorld {
  readonly connections: Pick<ConnectionRecords, 'storing'>;
  readonly credentials: Pick<CredentialRecords, 'match' | 'announce' | 'create' | 'replace'>;
  readonly secrets: SecretWriter;
  readonly audit: Audit;
  readonly stamp: Pick<Stamp, 'now'>;
  readonly newToken: () => string;
}

interface Consent {
  readonly record: Connection;
  readonly attempt: Issued;
  readonly granted: Granted;
  readonly clientSecret: string | null;
}

/** The version of a new credential: its id is fresh, so a row with this id at any version proves that it was stored. */
const NEW = 0;

/** A refresh, or a consent in another tab, may change the row at the same time. */
const MAX_RACES = 5;

export async function storeCredential(world: StoreWorld, consent: Consent): Promise<Stored | ConnectionTrouble> {
  const { record } = consent;
  for (let race = 0; race < MAX_RACES; race += 1) {
    const [match] = await world.credentials.match(record.workspace, [record.vault], record.server.url);
    if (userOfVault(match?.vault ?? null) !== record.user) return VAULT_CLOSED;
    const stored = match?.stored ?? null;
    const outcome = stored === null ? await add(world, consent) : await renew(world, consent, stored);
    if (outcome.status !== 'lost') return outcome;
  }
  return { status: 'trouble', error: 'exchange_failed', detail: `the credential changed ${MAX_RACES} times meanwhile` };
}

interface Lost {
  /** Another process changed the credential. */
  readonly status: 'lost';
}

const full: ConnectionTrouble = {
  status: 'trouble',
  error: 'vault_full',
  detail: 'the vault has as many as it may have',
};

async function add(world: StoreWorld, consent: Consent): Promise<Stored | Lost | ConnectionTrouble> {
  const { record, attempt } = consent;
  const place = placeIn(record, CredentialId.parse(`vcrd_${world.newToken()}`));
  const now = world.stamp.now();
  const credential: Credential = {
    ...{ id: place.credential, type: 'vault_credential', vault_id: record.vault },
    ...{ display_name: record.server.name, metadata: {}, auth: authOf(consent, now) },
    ...{ created_at: now, updated_at: now, archived_at: null },
  };
  await world.credentials.announce(place, now);
  const secrets = await write(world, consent, { place, version: NEW, inForce: {} });
  const { workspace } = record;
  const { issuer } = attempt;
  const created = await world.credentials.create(
    { workspace, credential, secrets, grantedScopes: grantedScopes(consent), issuer },
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
      return full;
    case 'closed':
      return VAULT_CLOSED;
    default:
      return created satisfies never;
  }
}

/** While the credential is not archived its vault names this user; an archived credential makes the replacement fail. */
async function renew(
  world: StoreWorld,
  consent: Consent,
  stored: StoredCredential,
): Promise<Stored | Lost | ConnectionTrouble> {
  const now = world.stamp.now();
  const version = stored.version + 1;
  const place = placeIn(consent.record, stored.credential.id);
  const secrets = await write(world, consent, { place, version, inForce: stored.secrets });
  const credential: Credential = { ...stored.credential, auth: authOf(consent, now), updated_at: now };
  const issued = { secrets, issuer: consent.attempt.issuer, grantedScopes: grantedScopes(consent) };
  const saved = await world.credentials.replace({ ...stored, ...issued, credential, version });
  return { status: saved === 'saved' ? 'stored' : 'lost' };
}

/** Writes the audit trail first, then where the proof will be, then the secrets; the row that points at them is last. */
async function write(
  world: StoreWorld,
  { record, granted, clientSecret }: Consent,
  to: { readonly place: CredentialPlace; readonly version: number; readonly inForce: SecretPointers },
) {
  const { place, version, inForce } = to;
  const { credential } = place;
  const entry = administration(record, { action: 'connect.stored', credential });
  await world.audit.record(record.workspace, record.vault, entry);
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

function authOf({ record, attempt, granted }: Consent, now: Instant): McpOAuth {
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
function grantedScopes({ granted, attempt }: Consent): readonly string[] {
  return granted.scopes ?? attempt.scopes;
}
