/**
 * The browser comes back from the authorization server or from a login. Nothing that it brings is shown or used until it
 * is clear that it answers the one attempt that this browser's user approved, and that the server that was asked sent it.
 */
import { ConnectId, type Instant } from '#contract/ids.ts';
import type { ConnectionTrouble } from '#core/ports/authorization-server.ts';
import type { ConnectWorld } from '#core/connect/connect-world.ts';
import { verifierOf } from '#core/connect/approve.ts';
import type { Connection, ConnectionAttempt } from '#core/ports/connection-records.ts';
import { statusAt } from '#core/connect/connection.ts';
import type { Identity } from '#core/ports/login.ts';
import { redirectUrl } from '#core/connect/registration.ts';
import { endAttempt, settleConnection, type EndedAttempt, type Stored } from '#core/connect/settle-connection.ts';
import { storeCredential } from '#core/connect/store-credential.ts';
import type { Visitor } from '#core/connect/visitor.ts';

interface Answer {
  /** Where the browser came back, without the query. */
  readonly url: string;
  readonly state: string | null;
  readonly code: string | null;
  readonly iss: string | null;
  /** The error's code, and only a known one. */
  readonly error: string | null;
}

interface Refused {
  readonly status: 'refused';
  readonly record: null;
  readonly why: string;
}

/** `refused`: it answers no open attempt. It is replayed, late, altered, for another user or from another server. */
export type Taken = Refused | EndedAttempt;

export async function takeAnswer(world: ConnectWorld, visitor: Visitor | null, answer: Answer): Promise<Taken> {
  const open = await openAttempt(world, visitor, answer);
  if (open.status === 'refused') return open;
  const { record, attempt } = open;
  // The attempt ends before the answer is examined, so that a second answer finds it closed.
  if ((await world.connections.take(record.id, attempt.nonce)) === 'conflict')
    return refused('the state was used before');
  if (answer.url !== redirectUrl(world, attempt)) return refused('the answer is for another issuer’s attempt');
  if (!world.servers.isFrom(attempt, answer.iss)) return refused('the answer names another issuer, or none');
  const outcome = await useAnswer(world, { record, attempt }, answer);
  return endAttempt(world, record, outcome);
}

const refused = (why: string): Refused => ({ status: 'refused', record: null, why });

interface OpenAttempt {
  readonly status: 'open';
  readonly record: Connection;
  readonly attempt: ConnectionAttempt;
}

/** `<link>.<nonce>.<seal>`, as `stateOf` made it. */
const STATE = /^(conn_\w{1,64})\.(\w{1,64})\.([\w-]{43})$/;

async function openAttempt(world: ConnectWorld, visitor: Visitor | null, { state }: Answer) {
  if (visitor === null) return refused('no user is logged in');
  const [, id = '', nonce = '', seal = ''] = STATE.exec(state ?? '') ?? [];
  if (!(await world.seals.isSeal('state', `${id}.${nonce}.${visitor.browser}`, seal))) {
    return refused('this service did not make the state for this browser');
  }
  const found = await world.connections.find(ConnectId.parse(id));
  if (found === null || found.user !== visitor.user) return refused('the connection is not this user’s');
  return openIn(await settleConnection(world, found), nonce, world.stamp.now());
}

function openIn(record: Connection, nonce: string, now: Instant): OpenAttempt | Refused {
  const { attempt } = record;
  if (statusAt(record, now) !== 'pending') return refused('the connection is over');
  if (attempt === null || attempt.nonce !== nonce)
    return refused('the state was used before, or a newer one replaced it');
  return now < attempt.until ? { status: 'open', record, attempt } : refused('the state is too old');
}

async function useAnswer(
  world: ConnectWorld,
  { record, attempt }: Omit<OpenAttempt, 'status'>,
  { code, iss, error }: Answer,
): Promise<Stored | ConnectionTrouble> {
  if (code === null || error !== null) {
    const known = error === 'access_denied' ? error : 'authorization_failed';
    return { status: 'trouble', error: known, detail: error ?? 'no code' };
  }
  const clientSecret = await world.clients.secretOf(attempt.client);
  const verifier = await verifierOf(world.seals, record.id, attempt.nonce);
  const granted = await world.servers.exchange(attempt, {
    code,
    iss,
    verifier,
    clientSecret,
    redirectUrl: redirectUrl(world, attempt),
  });
  if (granted.status === 'granted') return storeCredential(world, { record, attempt, granted, clientSecret });
  // The next attempt registers a new client.
  if (granted.isClientUnknown) await world.clients.forget(record.workspace, attempt.issuer, attempt.client.id);
  return granted;
}

/**
 * A user has signed in so that their organisation can be asked about them: the identity goes into their vault, and the
 * waiting calls go on. The credential's row is the proof; a process that dies before it writes the row leaves a link that
 * can be opened again. `record` was just read, and its user is the one who signed in. Null for a connection that is over.
 */
export async function keepIdentity(
  world: ConnectWorld,
  record: Connection,
  { issued, granted, clientSecret }: Identity,
): Promise<EndedAttempt | null> {
  if (statusAt(record, world.stamp.now()) !== 'pending') return null;
  return endAttempt(world, record, await storeCredential(world, { record, attempt: issued, granted, clientSecret }));
}
