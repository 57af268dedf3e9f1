/** What a link comes to once there was something to store. */
import type { ConnectError } from '#contract/connect.ts';
import type { Audit } from '#core/ports/audit.ts';
import { administration } from '#core/connect/administration.ts';
import type { ConnectTrouble } from '#core/ports/authorization-server.ts';
import type { ConnectRecord, ConnectRecords } from '#core/ports/connect-records.ts';
import { settle, type SettleWorld } from '#core/connect/settle.ts';
import { Fault } from '#core/ports/errors.ts';

export interface ConcludeWorld extends SettleWorld {
  readonly connects: SettleWorld['connects'] & Pick<ConnectRecords, 'fail' | 'trouble'>;
  readonly audit: Audit;
}

export type Concluded =
  | { readonly status: 'trouble'; readonly record: ConnectRecord; readonly trouble: ConnectTrouble }
  | { readonly status: 'connected'; readonly record: ConnectRecord };

/** The user's choice, and a vault that is closed to them, end the link; after anything else it may be opened again. */
const FINAL: readonly ConnectError[] = ['access_denied', 'vault_closed'];

export async function conclude(
  world: ConcludeWorld,
  record: ConnectRecord,
  outcome: 'stored' | ConnectTrouble,
): Promise<Concluded> {
  if (outcome !== 'stored') return end(world, record, outcome);
  await world.connects.complete(record.id, world.stamp.now());
  return { status: 'connected', record: await settled(world, record) };
}

async function end(world: ConcludeWorld, record: ConnectRecord, trouble: ConnectTrouble): Promise<Concluded> {
  const { error } = trouble;
  if (error === 'access_denied') {
    await world.audit.record(record.workspace, record.vault, administration(record, { action: 'connect.declined' }));
  }
  await world.connects.storing(record.id, null);
  if (!FINAL.includes(error)) {
    await world.connects.trouble(record.id, error);
    return { status: 'trouble', record, trouble };
  }
  await world.connects.fail(record.id, error, world.stamp.now());
  return { status: 'trouble', record: await settled(world, record), trouble };
}

/** The record says by now how it ended: a call that cannot be told at once is left to whoever looks next. */
async function settled(world: ConcludeWorld, record: ConnectRecord): Promise<ConnectRecord> {
  const found = (await world.connects.find(record.id)) ?? record;
  try {
    return await settle(world, found);
  } catch (error) {
    if (error instanceof Fault) return found;
    throw error;
  }
}
