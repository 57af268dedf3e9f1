/**
 * Archiving and deletion. A vault or credential is marked first, so that no call uses it from then on, and its secrets are
 * removed before the row that points at them. When the process dies in between, the mark stays, and a repeat of the
 * request finishes the work.
 */
import type { Instant, VaultId, WorkspaceId } from '#contract/ids.ts';
import type { Credential } from '#contract/credentials.ts';
import type { Vault } from '#contract/vaults.ts';
import type { Ports } from '#core/ports/ports.ts';
import { credentialPlace, type CredentialPlace, type StoredCredential } from '#core/ports/vault-records.ts';

type Retiring = Pick<Ports, 'vaults' | 'credentials' | 'secrets' | 'stamp'>;

interface VaultPlace {
  readonly workspace: WorkspaceId;
  readonly id: VaultId;
}

/** Null when there is no such credential. */
export async function archiveCredential(world: Retiring, place: CredentialPlace): Promise<Credential | null> {
  return (await purge(world, place, world.stamp.now()))?.credential ?? null;
}

/** False when there was no such credential. */
export async function deleteCredential(world: Retiring, place: CredentialPlace): Promise<boolean> {
  const purged = await purge(world, place, world.stamp.now());
  return purged !== null && world.credentials.remove(place);
}

/** Archives its credentials too. Null when there is no such vault. */
export async function archiveVault(world: Retiring, { workspace, id }: VaultPlace): Promise<Vault | null> {
  const vault = await world.vaults.archive(workspace, id, world.stamp.now());
  if (vault === null) return null;
  for await (const stored of world.credentials.ofVault(workspace, id)) {
    if (!isPurged(stored)) await purge(world, credentialPlace(stored), vault.archived_at ?? world.stamp.now());
  }
  return vault;
}

/** Deletes its credentials first. False when there was no such vault. */
export async function deleteVault(world: Retiring, { workspace, id }: VaultPlace): Promise<boolean> {
  if ((await world.vaults.archive(workspace, id, world.stamp.now())) === null) return false;
  for await (const stored of world.credentials.ofVault(workspace, id))
    await deleteCredential(world, credentialPlace(stored));
  return world.vaults.remove(workspace, id);
}

async function purge(world: Retiring, place: CredentialPlace, at: Instant): Promise<StoredCredential | null> {
  const archived = await world.credentials.archive(place, at);
  if (archived === null) return null;
  // Also when no pointer is left: a write that had begun may have ended after the last removal.
  await world.secrets.remove(place);
  await world.credentials.purged(place);
  return archived;
}

function isPurged({ credential, secrets }: StoredCredential): boolean {
  return credential.archived_at !== null && Object.keys(secrets).length === 0;
}
