/**
 * A new credential is announced, then its secrets are written, then the row that puts them in force. When the process
 * dies in between, the sweep removes the secrets.
 */
import type { CredentialCreate } from '#contract/credential-requests.ts';
import type { Credential } from '#contract/credentials.ts';
import type { AllowedHosts } from '#contract/outbound.ts';
import { isIdentity } from '#core/vault/enterprise.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import { separateAuth, type SeparatedAuth } from '#core/vault/credential-auth.ts';
import { MAX_CREDENTIALS, type Created, type CredentialPlace } from '#core/ports/vault-records.ts';
import type { VaultWorld } from '#core/vault/vault-world.ts';

/** Null when there is no such vault. */
export async function createCredential(
  world: VaultWorld,
  place: CredentialPlace,
  input: CredentialCreate,
): Promise<Credential | RequestRefusal | null> {
  const now = world.stamp.now();
  const separated = separateAuth(input.auth, { now, allow: allowedFor(world, input.auth) });
  if (isRefusal(separated)) return separated;
  // Checked here so that no secret is stored in vain; the row's transaction checks it again.
  const [found] = await world.credentials.match(place.workspace, [place.vault], separated.key);
  if (found === undefined || found.vault === null) return null;
  if (found.vault.archived_at !== null) return refusedCreation({ status: 'closed' }, separated);
  if (found.stored !== null) return refusedCreation({ status: 'duplicate' }, separated);
  const credential: Credential = {
    id: place.credential,
    type: 'vault_credential',
    vault_id: place.vault,
    display_name: input.display_name ?? null,
    auth: separated.auth,
    metadata: input.metadata ?? {},
    created_at: now,
    updated_at: now,
    archived_at: null,
  };
  const created = await store(world, place, { credential, separated });
  return created.status === 'created' ? credential : refusedCreation(created, separated);
}

/** An identity is sent to its provider only. The customer allows the provider's host apart from the hosts of servers. */
function allowedFor({ identities, serversAllowed }: VaultWorld, auth: CredentialCreate['auth']): AllowedHosts {
  const url = auth.type === 'environment_variable' ? null : auth.mcp_server_url;
  return url !== null && isIdentity(identities.enterprise, url) ? identities.allow : serversAllowed;
}

async function store(
  { secrets, credentials }: VaultWorld,
  place: CredentialPlace,
  { credential, separated }: { readonly credential: Credential; readonly separated: SeparatedAuth },
): Promise<Created> {
  await credentials.announce(place, credential.created_at);
  const pointers = await secrets.write(place, separated.auth.type, separated.values);
  const { workspace } = place;
  const unconsented = { grantedScopes: null, issuer: null };
  const created = await credentials.create({ workspace, credential, secrets: pointers, ...unconsented }, separated.key);
  // No row points at the secrets.
  if (created.status !== 'created') await secrets.remove(place);
  return created;
}

function refusedCreation(
  created: Exclude<Created, { status: 'created' }>,
  { keyField }: SeparatedAuth,
): RequestRefusal {
  switch (created.status) {
    case 'duplicate':
      return refuse('conflict_error', `auth.${keyField}: another active credential of the vault has the same`);
    case 'full':
      return refuse('invalid_request_error', `vault_id: has ${MAX_CREDENTIALS} active credentials, and takes no more`);
    case 'closed':
      return refuse('invalid_request_error', 'vault_id: is archived');
    default:
      return created satisfies never;
  }
}
