/** Rows of connections: the facts, which never change, in one column, and a column for each thing that changes by itself. */
import * as z from 'zod';
import { ConnectError } from '#contract/connect.ts';
import { EventId, Instant, Position, SessionId, ThreadId, type ConnectId, type VaultId } from '#contract/ids.ts';
import {
  ConnectionFacts,
  ConnectionAttempt,
  Storing,
  type WaitingCall,
  type Connection,
} from '#core/ports/connection-records.ts';
import { json, optional, parseRow } from '#aws/row.ts';
import { sha256 } from '#aws/stamp.ts';
import type { Columns, Key, Row } from '#aws/table.ts';

const ROW = 'CONNECT';
/** The partition of the list index with the connections that are not settled, oldest first. */
export const UNSETTLED = 'CONNECT#unsettled';
/** A client of the API can ask for so long how a connection ended. */
const KEPT_SECONDS = 7 * 86_400;

export function connectionKey(id: ConnectId): Key {
  return { pk: `CONNECT#${id}`, sk: ROW };
}

export function sessionPartition(session: SessionId): string {
  return `CONNECT#${session}`;
}

/** The row that names the latest connection for a vault and a server for which calls of the session wait. */
export function pointerKey(session: SessionId, vault: VaultId, url: string): Key {
  return { pk: sessionPartition(session), sk: sha256(`${vault}\n${url}`) };
}

/** When DynamoDB may remove the row, in epoch seconds. */
export function removableAt({ expiresAt: until }: Pick<ConnectionFacts, 'expiresAt'>): number {
  return Math.ceil(Date.parse(until) / 1000) + KEPT_SECONDS;
}

export function factsRow(facts: ConnectionFacts, waiting: readonly WaitingCall[]): Key & Columns {
  return {
    ...connectionKey(facts.id),
    expiresAt: removableAt(facts),
    body: JSON.stringify(ConnectionFacts.parse(facts)),
    status: 'pending',
    openUntil: facts.expiresAt,
    // DynamoDB has no empty set.
    waiting: waiting.length === 0 ? null : new Set(waiting.map(waitingText)),
    isForCall: waiting.some(({ call }) => call !== null) ? true : null,
  };
}

const ConnectionRow = z.object({
  body: json(ConnectionFacts),
  status: z.enum(['pending', 'completed', 'failed']),
  endedAt: optional(Instant),
  error: optional(ConnectError),
  attempt: optional(json(ConnectionAttempt)),
  storing: optional(json(Storing)),
  waiting: z.set(z.string()).default(new Set()),
  isForCall: z.boolean().default(false),
  listPk: optional(z.string()),
});

export function connectionOf(row: Row): Connection {
  const { body, waiting, listPk, ...columns } = parseRow(ConnectionRow, row);
  const isSettled = listPk === null && waiting.size === 0;
  return { ...body, ...columns, waiting: [...waiting].map(waitingOf), isSettled };
}

/** `<session>/<thread>/<call>/<sincePosition>`: none of them has a slash, and a list has neither a call nor a position. */
export function waitingText({ session, thread, call, sincePosition }: WaitingCall): string {
  return [session, thread, call ?? '', ...(sincePosition === null ? [] : [sincePosition])].join('/');
}

function waitingOf(text: string): WaitingCall {
  const [session, thread, call, position] = text.split('/');
  const sincePosition = position === undefined ? null : Position.parse(Number(position));
  const waiting = { session: SessionId.parse(session), thread: ThreadId.parse(thread), sincePosition };
  return { ...waiting, call: call === '' ? null : EventId.parse(call) };
}
