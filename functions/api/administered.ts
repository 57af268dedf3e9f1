/** Operations that name vaults leave records in the audit trail. */
import type { VaultId } from '#contract/ids.ts';
import { administer, recordForeign, type Administration } from '#core/audit/administer.ts';
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';
import { judgeSessionVaults } from '#core/vault/judge-session-vaults.ts';
import { notFound, type Call } from './operation.ts';

interface Target extends Omit<Administration, 'workspace' | 'apiKey'> {
  /** The field of the request that is told to name nothing when the operation finds nothing. */
  readonly needs: 'vault_id' | 'credential_id';
}

type VaultCall = Pick<Call<unknown, unknown, unknown>, 'world' | 'workspace' | 'apiKey'>;

/** Acts, and records that; `act` answers null when there is no such vault or credential. */
export async function administered<Done>(
  call: VaultCall,
  target: Target,
  act: () => Promise<Done | RequestRefusal | null>,
): Promise<Done | RequestRefusal> {
  const result = await administer(call.world.audit, administrationOf(call, target), act);
  return result ?? absent(call, target);
}

/** A vault of another workspace is answered in the same way, and that workspace's audit trail has the attempt. */
export async function absent(call: VaultCall, target: Target): Promise<RequestRefusal> {
  await recordForeign(call.world, administrationOf(call, target));
  return notFound(target.needs);
}

function administrationOf({ workspace, apiKey }: VaultCall, { action, vault, credential }: Target): Administration {
  return { workspace, apiKey, action, vault, credential };
}

/** Null when the session may be created with these vaults. */
export async function refusedVaults(
  { world, workspace, apiKey }: VaultCall,
  ids: readonly VaultId[],
): Promise<RequestRefusal | null> {
  const judged = await judgeSessionVaults(world, workspace, ids);
  switch (judged.status) {
    case 'fit':
      return null;
    case 'refused':
      return judged;
    case 'missing': {
      const { vault, index } = judged;
      await recordForeign(world, { workspace, apiKey, action: 'session.create', vault, credential: null });
      return refuse('not_found_error', `vault_ids.${index}: there is no such vault`);
    }
    default:
      return judged satisfies never;
  }
}
