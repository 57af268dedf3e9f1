/**
 * The end of a connection, also when a process died in the middle of it. The credential's row proves that the user has
 * approved; a failed record says that they have not. The next function that reads the record (the page, the API, the
 * sweep) completes it and tells the waiting calls, which go on or end. Each step may be repeated: a record is completed
 * once, and a call that does not wait any more is not told.
 */
import type { ConnectError } from '#contract/connect.ts';
import { recordStep } from '#core/connect/connection.ts';
import type { ConnectWorld, SettlePorts } from '#core/connect/connect-world.ts';
import type { ConnectionTrouble } from '#core/ports/authorization-server.ts';
import type { WaitingCall, Connection, Storing } from '#core/ports/connection-records.ts';
import { Fault } from '#core/ports/errors.ts';
import { later } from '#core/ports/stamp.ts';
import type { Resumed } from '#core/session/send.ts';

/** A function lives no longer than this, so a process that announced a credential before it does not store it any more. */
const ABANDONED_MS = 5 * 60_000;

export async function settleConnection(world: SettlePorts, record: Connection): Promise<Connection> {
  const over = await provenComplete(world, record);
  if (over.status === 'pending' || over.isSettled) return over;
  const early: WaitingCall[] = [];
  for (const call of over.waiting) {
    if ((await tell(world, over, call)) === 'early') early.push(call);
    else await world.connections.resumed(over.id, call);
  }
  // The next reader of the record tells these calls: no other process knows that their user has answered.
  if (early.length > 0) return { ...over, waiting: early };
  await world.connections.settled(over.id);
  return { ...over, storing: null, waiting: [], isSettled: true };
}

async function tell(world: SettlePorts, record: Connection, waiting: WaitingCall): Promise<Resumed['run']> {
  if (record.status === 'completed') return (await world.resume(waiting)).run;
  const { call } = waiting;
  // A list of tools does not wait: it stays without the server's tools.
  if (call === null || (await waitsElsewhere(world, record, waiting))) return 'none';
  return (await world.decline({ ...waiting, call }, record.error === 'vault_closed' ? CLOSED : DECLINED)).run;
}

/** For the model. The user has declined once, and another call would ask them again. */
const DECLINED =
  'The user declined to connect this MCP server, so the call was not made. Make it again only if they ask for it.';
const CLOSED =
  'The vault of the user takes no credentials any more, so the call was not made. Trying again does not help.';

/** A call that a person confirmed while it waited may wait for a newer connection, which its user can still approve. */
async function waitsElsewhere(
  { connections }: SettlePorts,
  { id, workspace }: Connection,
  { session, call, sincePosition }: WaitingCall,
): Promise<boolean> {
  const others = await connections.ofSession(workspace, session);
  return others.some(
    (other) =>
      other.id !== id && other.waiting.some((waits) => waits.call === call && waits.sincePosition === sincePosition),
  );
}

async function provenComplete(world: SettlePorts, record: Connection): Promise<Connection> {
  const { storing } = record;
  if (record.status !== 'pending' || storing === null) return record;
  const now = world.stamp.now();
  if (await isStored(world, record, storing)) {
    await world.connections.complete(record.id, now);
    // A call may have joined since the record was read.
    return (await world.connections.find(record.id)) ?? record;
  }
  if (now < later(storing.since, ABANDONED_MS)) return record;
  await world.connections.storing(record.id, null);
  return { ...record, storing: null };
}

async function isStored(world: SettlePorts, record: Connection, { credential, version }: Storing): Promise<boolean> {
  const { workspace, vault } = record;
  const stored = await world.credentials.find({ workspace, vault, credential });
  return stored !== null && stored.version >= version && stored.credential.archived_at === null;
}

export interface Stored {
  readonly status: 'stored';
}

export type EndedAttempt =
  | { readonly status: 'trouble'; readonly record: Connection; readonly trouble: ConnectionTrouble }
  | { readonly status: 'connected'; readonly record: Connection };

/** These errors end the connection: the user declined, or the vault is closed. After others the user may try again. */
const FINAL: readonly ConnectError[] = ['access_denied', 'vault_closed'];

/** Ends an attempt, after its credential was stored or not. */
export async function endAttempt(
  world: ConnectWorld,
  record: Connection,
  outcome: Stored | ConnectionTrouble,
): Promise<EndedAttempt> {
  if (outcome.status === 'trouble') return end(world, record, outcome);
  await world.connections.complete(record.id, world.stamp.now());
  return { status: 'connected', record: await settled(world, record) };
}

async function end(world: ConnectWorld, record: Connection, trouble: ConnectionTrouble): Promise<EndedAttempt> {
  const { error } = trouble;
  if (error === 'access_denied') {
    await recordStep(world, record, { action: 'connect.declined' });
  }
  await world.connections.storing(record.id, null);
  if (!FINAL.includes(error)) {
    await world.connections.trouble(record.id, error);
    return { status: 'trouble', record, trouble };
  }
  await world.connections.fail(record.id, error, world.stamp.now());
  return { status: 'trouble', record: await settled(world, record), trouble };
}

/** The record says how it ended, so a call that cannot be told at once is told by the next reader of the record. */
async function settled(world: ConnectWorld, record: Connection): Promise<Connection> {
  const found = (await world.connections.find(record.id)) ?? record;
  try {
    return await settleConnection(world, found);
  } catch (error) {
    if (error instanceof Fault) return found;
    throw error;
  }
}
