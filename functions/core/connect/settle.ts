/**
 * What a process that died in the middle of a consent left to do. The credential's row is the proof that consent was
 * given, so whoever looks next (the page, the API, the sweep) completes the record and lets the waiting calls go on.
 * Each step may be repeated: a record is completed once, and a call that does not wait any more is not resumed.
 */
import type { WaitingCall } from '#core/connect/connect-links.ts';
import type { ConnectRecord, ConnectRecords, Storing } from '#core/connect/connect-records.ts';
import { later } from '#core/instant.ts';
import type { Stamp } from '#core/ports.ts';
import type { Resumed } from '#core/session/send.ts';
import type { CredentialRecords } from '#core/vault/vault-records.ts';

export interface SettleWorld {
  readonly connects: Pick<ConnectRecords, 'find' | 'complete' | 'storing' | 'resumed' | 'settled'>;
  readonly credentials: Pick<CredentialRecords, 'find'>;
  /** Lets the call be made again, if it still waits for its user. A repeat changes nothing. */
  readonly resume: (call: WaitingCall) => Promise<Resumed>;
  readonly stamp: Pick<Stamp, 'now'>;
}

/** A function lives no longer than this: whoever was about to store will not any more. */
const ABANDONED_MS = 5 * 60_000;

export async function settle(world: SettleWorld, record: ConnectRecord): Promise<ConnectRecord> {
  const completed = await provenComplete(world, record);
  if (completed.status !== 'completed' || (completed.storing === null && completed.waiting.length === 0)) {
    return completed;
  }
  const early: WaitingCall[] = [];
  for (const call of completed.waiting) {
    if ((await world.resume(call)).run === 'early') early.push(call);
    else await world.connects.resumed(completed.id, call);
  }
  // Whoever looks next tries these again: nobody else would tell them that their user has been here.
  if (early.length > 0) return { ...completed, waiting: early };
  await world.connects.settled(completed.id);
  return { ...completed, storing: null, waiting: [] };
}

async function provenComplete(world: SettleWorld, record: ConnectRecord): Promise<ConnectRecord> {
  const { storing } = record;
  if (record.status !== 'pending' || storing === null) return record;
  const now = world.stamp.now();
  if (await isStored(world, record, storing)) {
    await world.connects.complete(record.id, now);
    // A call may have joined since the record was read.
    return (await world.connects.find(record.id)) ?? record;
  }
  if (now < later(storing.since, ABANDONED_MS)) return record;
  await world.connects.storing(record.id, null);
  return { ...record, storing: null };
}

async function isStored(world: SettleWorld, record: ConnectRecord, { credential, version }: Storing): Promise<boolean> {
  const { workspace, vault } = record;
  const stored = await world.credentials.find({ workspace, vault, credential });
  return stored !== null && stored.version >= version && stored.credential.archived_at === null;
}
