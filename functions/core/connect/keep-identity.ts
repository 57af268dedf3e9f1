/**
 * A user signs in so that their organisation can be asked about them: the identity goes into their vault, and what waited
 * for it goes on. As with any consent, the credential's row is the proof; who dies before it leaves a link to open again.
 */
import type { ConnectRecord } from '#core/ports/connect-records.ts';
import { statusAt } from '#core/connect/link.ts';
import type { Identity } from '#core/ports/login.ts';
import { storeCredential, type StoreWorld } from '#core/connect/store-credential.ts';
import { conclude, type ConcludeWorld, type Concluded } from '#core/connect/conclude.ts';

export interface KeepWorld extends StoreWorld, ConcludeWorld {
  readonly connects: StoreWorld['connects'] & ConcludeWorld['connects'];
  readonly credentials: StoreWorld['credentials'] & ConcludeWorld['credentials'];
}

/** Null for a link that is over. `record` has just been read, and its user is who has signed in. */
export async function keepIdentity(
  world: KeepWorld,
  record: ConnectRecord,
  { issued, granted, clientSecret }: Identity,
): Promise<Concluded | null> {
  if (statusAt(record, world.stamp.now()) !== 'pending') return null;
  return conclude(world, record, await storeCredential(world, { record, flow: issued, granted, clientSecret }));
}
