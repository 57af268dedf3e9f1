/** Which vaults a session may have (docs/security.md#users). */
import type { VaultId, WorkspaceId } from '#contract/ids.ts';
import { USER_KEY } from '#contract/vaults.ts';
import type { Ports } from '#core/ports/ports.ts';
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';
import { isOfTwoUsers } from '#core/vault/named-user.ts';

type SessionVaults =
  | { readonly status: 'fit' }
  | { readonly status: 'missing'; readonly vault: VaultId; readonly index: number }
  | RequestRefusal;

export async function judgeSessionVaults(
  { vaults }: Pick<Ports, 'vaults'>,
  workspace: WorkspaceId,
  ids: readonly VaultId[],
): Promise<SessionVaults> {
  const found = await Promise.all(ids.map((id) => vaults.find(workspace, id)));
  for (const [index, id] of ids.entries()) {
    const vault = found[index] ?? null;
    if (vault === null) return { status: 'missing', vault: id, index };
    if (vault.archived_at !== null) return unfit(`vault_ids.${index}: is archived`);
  }
  return isOfTwoUsers(found.flatMap((vault) => vault ?? [])) ? unfit(`vault_ids: ${ONE_USER}`) : { status: 'fit' };
}

const ONE_USER = `must not belong to different users: metadata.${USER_KEY} of each must be the same, or absent`;

function unfit(message: string): RequestRefusal {
  return refuse('invalid_request_error', message);
}
