/** Operations on vaults, for those who audit them. */
import { administer, recordForeign, type Administration } from '#core/audit/administer.ts';
import type { RequestRefusal } from '#core/ports/refusal.ts';
import { notFound, type Call } from './operation.ts';

interface Target extends Omit<Administration, 'workspace' | 'apiKey'> {
  /** What of the request names that without which nothing is done. */
  readonly needs: 'vault_id' | 'credential_id';
}

type VaultCall = Pick<Call<unknown, unknown, unknown>, 'world' | 'workspace' | 'apiKey'>;

/** Does it and records it; what is not there is answered as `absent` does. */
export async function administered<Done>(
  call: VaultCall,
  target: Target,
  act: () => Promise<Done | RequestRefusal | null>,
): Promise<Done | RequestRefusal> {
  const result = await administer(call.world.audit, administrationOf(call, target), act);
  return result ?? absent(call, target);
}

/** Not found, also when it belongs to another workspace. */
export async function absent(call: VaultCall, target: Target): Promise<RequestRefusal> {
  await recordForeign(call.world, administrationOf(call, target));
  return notFound(target.needs);
}

function administrationOf({ workspace, apiKey }: VaultCall, { action, vault, credential }: Target): Administration {
  return { workspace, apiKey, action, vault, credential };
}
