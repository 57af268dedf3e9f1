/** The vaults that a session is created with. */
import type { VaultId } from '#contract/ids.ts';
import { recordForeign } from '#core/audit/administer.ts';
import { refuse, type RequestRefusal } from '#core/ports/refusal.ts';
import { judgeSessionVaults } from '#core/vault/judge-session-vaults.ts';
import type { Call } from './operation.ts';

/** Null when the session may have them. */
export async function refusedVaults(
  { world, workspace, apiKey }: Pick<Call<unknown, unknown, unknown>, 'world' | 'workspace' | 'apiKey'>,
  ids: readonly VaultId[],
): Promise<RequestRefusal | null> {
  const judged = await judgeSessionVaults(world, workspace, ids);
  switch (judged.status) {
    case 'fit':
      return null;
    case 'unfit':
      return judged.refusal;
    case 'missing':
      await recordForeign(world, {
        workspace,
        apiKey,
        action: 'session.create',
        vault: judged.vault,
        credential: null,
      });
      return refuse('not_found_error', `vault_ids.${judged.index}: there is no such vault`);
    default:
      return judged satisfies never;
  }
}
