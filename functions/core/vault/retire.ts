/**
 * Archiving and deletion. What is retired is marked before anything else, so that from then on nobody uses it, and its
 * secrets go before the row that tells that there are some. A process that dies in between leaves something marked, and
 * a repeat of the request finishes it.
 */
import type { Instant, VaultId, WorkspaceId } from '#contract/ids.ts';
import type { Credential } from '#contract/credentials.ts';
import type { Vault } from '#contract/vaults.ts';
import { credentialPlace, type CredentialPlace, type StoredCredential } from '#core/ports/vault-records.ts';
import type { VaultWorld } from '#core/vault/vault-world.ts';

type Retiring = Pick<VaultWorld, 'vaults' | 'credentials' | 'secrets' | 'stamp'>;

interface VaultPlace {
  readonly workspace: WorkspaceId;
  readonly id: VaultId;
}

/** Null when there is no such credential. */
export async function archiveCredential(world: Retiring, place: CredentialPlace): Promise<Credential | null> {
  return (await purge(world, place, world.stamp.now()))?.credential ?? null;
}

/** Whether there was one. */
export async function deleteCredential(world: Retiring, place: CredentialPlace): Promise<boolean> {
  const purged = await purge(world, place, world.stamp.now());
  return purged !== null && world.credentials.remove(place);
}

/** With its credentials. Null when there is no such vault. */
export async function archiveVault(world: Retiring, { workspace, id }: VaultPlace): Promise<Vault | null> {
  const vault = await world.vaults.archive(workspace, id, world.stamp.now());
  if (vault === null) return null;
  for await (const stored of world.credentials.ofVault(workspace, id)) {
    if (!isPurged(stored)) await purge(world, credentialPlace(stored), vault.archived_at ?? world.stamp.now());
  }
  return vault;
}

/** With its credentials, whose rows go before its own. Whether there was one. */
export async function deleteVault(world: Retiring, { workspace, id }: VaultPlace): Promise<boolean> {
  if ((await world.vaults.archive(workspace, id, world.stamp.now())) === null) return false;
  for await (const stored of world.credentials.ofVault(workspace, id))
    await deleteCredential(world, credentialPlace(stored));
  return world.vaults.remove(workspace, id);
}

async function purge(world: Retiring, place: CredentialPlace, at: Instant): Promise<StoredCredential | null> {
  const archived = await world.credentials.archive(place, at);
  if (archived === null) return null;
  // Also where no pointer is left: a write that was under way may have come after the last removal.
  await world.secrets.remove(place);
  await world.credentials.purged(place);
  return archived;
}

function isPurged({ credential, secrets }: StoredCredential): boolean {
  return credential.archived_at !== null && Object.keys(secrets).length === 0;
}
