/** Which vaults a session may have (docs/security.md#users). */
import type { VaultId, WorkspaceId } from '#contract/ids.ts';
import { USER_KEY, type Vault } from '#contract/vaults.ts';
import type { Ports } from '#core/ports/ports.ts';
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';
import { namedUser } from '#core/vault/named-user.ts';

type SessionVaults =
  | { readonly status: 'fit' }
  | { readonly status: 'missing'; readonly vault: VaultId; readonly index: number }
  | RequestRefusal;

export async function judgeSessionVaults(
  { vaults, credentials }: Pick<Ports, 'vaults' | 'credentials'>,
  workspace: WorkspaceId,
  ids: readonly VaultId[],
): Promise<SessionVaults> {
  const found = await Promise.all(
    ids.map(async (id) => {
      const [vault, types] = await Promise.all([vaults.find(workspace, id), credentials.types(workspace, id)]);
      return { id, vault, hasVariables: types.has('environment_variable') };
    }),
  );
  for (const [index, { id, vault, hasVariables }] of found.entries()) {
    if (vault === null) return { status: 'missing', vault: id, index };
    if (vault.archived_at !== null) return unfit(`vault_ids.${index}: is archived`);
    if (hasVariables) return unfit(`vault_ids.${index}: ${NO_VARIABLES}`);
  }
  return actsForTwo(found.map(({ vault }) => vault)) ? unfit(`vault_ids: ${ONE_USER}`) : { status: 'fit' };
}

/** Without the proxy, the secret would never replace the placeholder that the sandbox sees. */
const NO_VARIABLES =
  'has an environment_variable credential, which needs the egress proxy, and that is not built yet: archive it';

const ONE_USER = `must not belong to different users: metadata.${USER_KEY} of each must be the same, or absent`;

function actsForTwo(vaults: readonly (Vault | null)[]): boolean {
  const users = vaults.flatMap((vault) => (vault === null ? [] : (namedUser(vault) ?? [])));
  return new Set(users).size > 1;
}

function unfit(message: string): RequestRefusal {
  return refuse('invalid_request_error', message);
}
