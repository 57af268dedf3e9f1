/**
 * What is left to do for a link that is over, also by a process that died in the middle of it. The credential's row is
 * the proof that consent was given, and the record's own word that it was not: whoever looks next (the page, the API,
 * the sweep) completes the record and tells the waiting calls, which go on or end. Each step may be repeated: a record is
 * completed once, and a call that does not wait any more is not told.
 */
import type { EventId } from '#contract/ids.ts';
import type { WaitingCall } from '#core/ports/connect-links.ts';
import type { ConnectRecord, ConnectRecords, Storing } from '#core/ports/connect-records.ts';
import { later } from '#core/ports/instant.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import type { Resumed } from '#core/session/send.ts';
import type { CredentialRecords } from '#core/ports/vault-records.ts';

export interface SettleWorld {
  readonly connects: Pick<ConnectRecords, 'find' | 'ofSession' | 'complete' | 'storing' | 'resumed' | 'settled'>;
  readonly credentials: Pick<CredentialRecords, 'find'>;
  /** Lets the call be made again, if it still waits for its user. A repeat changes nothing. */
  readonly resume: (call: WaitingCall) => Promise<Resumed>;
  /** Ends the call with the reason, if it still waits for its user. A repeat changes nothing. */
  readonly decline: (call: WaitingCall & { readonly call: EventId }, reason: string) => Promise<Resumed>;
  readonly stamp: Pick<Stamp, 'now'>;
}

/** A function lives no longer than this: whoever was about to store will not any more. */
const ABANDONED_MS = 5 * 60_000;

export async function settle(world: SettleWorld, record: ConnectRecord): Promise<ConnectRecord> {
  const over = await provenComplete(world, record);
  if (over.status === 'pending' || over.isSettled) return over;
  const early: WaitingCall[] = [];
  for (const call of over.waiting) {
    if ((await tell(world, over, call)) === 'early') early.push(call);
    else await world.connects.resumed(over.id, call);
  }
  // Whoever looks next tries these again: nobody else would tell them that their user has been here.
  if (early.length > 0) return { ...over, waiting: early };
  await world.connects.settled(over.id);
  return { ...over, storing: null, waiting: [], isSettled: true };
}

async function tell(world: SettleWorld, record: ConnectRecord, waiting: WaitingCall): Promise<Resumed['run']> {
  if (record.status === 'completed') return (await world.resume(waiting)).run;
  const { call } = waiting;
  // A list without the server's tools stays as it is.
  if (call === null || (await waitsElsewhere(world, record, waiting))) return 'none';
  return (await world.decline({ ...waiting, call }, record.error === 'vault_closed' ? CLOSED : DECLINED)).run;
}

/** For the model. The user has said so once: another call would only ask them again. */
const DECLINED =
  'The user declined to connect this MCP server, so the call was not made. Make it again only if they ask for it.';
const CLOSED =
  'The vault of the user takes no credentials any more, so the call was not made. Trying again does not help.';

/** A call that was confirmed without a consent may have been given a newer link, which its user can still say yes to. */
async function waitsElsewhere(
  { connects }: SettleWorld,
  { id, workspace }: ConnectRecord,
  { session, call, since }: WaitingCall,
): Promise<boolean> {
  const links = await connects.ofSession(workspace, session);
  return links.some(
    (link) => link.id !== id && link.waiting.some((waiting) => waiting.call === call && waiting.since === since),
  );
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
