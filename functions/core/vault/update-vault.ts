import type { Instant, VaultId, WorkspaceId } from '#contract/ids.ts';
import { USER_KEY, type Vault, type VaultUpdate } from '#contract/vaults.ts';
import { METADATA_TOO_LARGE, patchMetadata } from '#core/requests/patch-metadata.ts';
import type { Ports } from '#core/ports/ports.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import { namedUser } from '#core/vault/named-user.ts';
import type { RevisedVault } from '#core/ports/vault-records.ts';

/** Null when there is no such vault. When another request changed the row first, the change is decided again. */
export async function updateVault(
  { vaults, stamp }: Pick<Ports, 'vaults' | 'stamp'>,
  { workspace, id }: { readonly workspace: WorkspaceId; readonly id: VaultId },
  update: VaultUpdate,
): Promise<Vault | RequestRefusal | null> {
  for (;;) {
    const found = await vaults.findRevised(workspace, id);
    if (found === null) return null;
    const changed = changedVault(found, update, stamp.now());
    if (changed === found.vault || isRefusal(changed)) return changed;
    const replaced = await vaults.replace(workspace, { ...found, vault: changed });
    if (replaced === 'saved') return changed;
  }
}

/** The vault itself when nothing changes. */
function changedVault({ vault, active }: RevisedVault, update: VaultUpdate, now: Instant): Vault | RequestRefusal {
  if (vault.archived_at !== null) return refuse('invalid_request_error', 'vault_id: is archived');
  const metadata = patchMetadata(vault.metadata, update.metadata);
  if (metadata === null) return METADATA_TOO_LARGE;
  const changed = { ...vault, display_name: update.display_name ?? vault.display_name, metadata };
  if (active > 0 && handsOver(vault, changed)) return NOT_WHILE_ACTIVE;
  return JSON.stringify(changed) === JSON.stringify(vault) ? vault : { ...changed, updated_at: now };
}

/** Another user would act with the consents of this one. A vault that names no user yet may name one. */
const NOT_WHILE_ACTIVE = refuse(
  'invalid_request_error',
  `metadata.${USER_KEY}: stays while the vault has active credentials, which are this user's: archive or delete them ` +
    'first, or create another vault',
);

function handsOver(vault: Vault, changed: Vault): boolean {
  const user = namedUser(vault);
  return user !== null && namedUser(changed) !== user;
}
