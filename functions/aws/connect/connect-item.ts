/** Items of consents: facts that stay in one column, and a column for each thing that changes by itself. */
import * as z from 'zod';
import { ConnectError } from '#contract/connect.ts';
import { EventId, SessionId, ThreadId, type ConnectId, type VaultId } from '#contract/ids.ts';
import type { WaitingCall } from '#core/ports/connect-links.ts';
import { ConnectFacts, Flow, Storing, type ConnectRecord } from '#core/ports/connect-records.ts';
import { bodyOf, textOf, type Item } from '#aws/row.ts';
import { sha256 } from '#aws/sha256.ts';

const ROW = 'CONNECT';
/** Partition of the list index: those that are not settled, by the instant since when. */
export const UNSETTLED = 'CONNECT#unsettled';
/** Long enough to ask what became of a link. */
const KEPT_SECONDS = 7 * 86_400;

export function connectKey(id: ConnectId): Item {
  return { pk: { S: `CONNECT#${id}` }, sk: { S: ROW } };
}

export function sessionPartition(session: SessionId): string {
  return `CONNECT#${session}`;
}

/** Of the latest link for a vault and a server that calls of the session wait for. */
export function pointerKey(session: SessionId, vault: VaultId, url: string): Item {
  return { pk: { S: sessionPartition(session) }, sk: { S: sha256(`${vault}\n${url}`) } };
}

export function expiresAt({ expiresAt: until }: Pick<ConnectFacts, 'expiresAt'>): Item {
  return { expiresAt: { N: String(Math.ceil(Date.parse(until) / 1000) + KEPT_SECONDS) } };
}

export function factsItem(facts: ConnectFacts, waiting: readonly WaitingCall[]): Item {
  return {
    ...connectKey(facts.id),
    ...expiresAt(facts),
    body: { S: JSON.stringify(ConnectFacts.parse(facts)) },
    status: { S: 'pending' },
    openUntil: { S: facts.expiresAt },
    // DynamoDB has no empty set.
    ...(waiting.length > 0 && { waiting: { SS: waiting.map(waitingText) } }),
    ...(waiting.some(({ call }) => call !== null) && { isForCall: { BOOL: true } }),
  };
}

export function connectOf(item: Item): ConnectRecord {
  return {
    ...bodyOf(item, 'body', ConnectFacts),
    status: z.enum(['pending', 'completed', 'failed']).parse(textOf(item, 'status')),
    endedAt: item['endedAt']?.S ?? null,
    error: item['error'] === undefined ? null : ConnectError.parse(textOf(item, 'error')),
    flow: item['flow'] === undefined ? null : bodyOf(item, 'flow', Flow),
    storing: item['storing'] === undefined ? null : bodyOf(item, 'storing', Storing),
    waiting: (item['waiting']?.SS ?? []).map(waitingOf),
    isForCall: item['isForCall']?.BOOL ?? false,
    isSettled: item['listPk'] === undefined && item['waiting'] === undefined,
  };
}

/** `<session>/<thread>/<call>/<since>`: none of them has a slash, and a list has neither a call nor a `since`. */
export function waitingText({ session, thread, call, since }: WaitingCall): string {
  return [session, thread, call ?? '', ...(since === null ? [] : [since])].join('/');
}

function waitingOf(text: string): WaitingCall {
  const [session, thread, call, at] = text.split('/');
  const since = at === undefined ? null : Number(at);
  const waiting = { session: SessionId.parse(session), thread: ThreadId.parse(thread), since };
  return { ...waiting, call: call === '' ? null : EventId.parse(call) };
}
