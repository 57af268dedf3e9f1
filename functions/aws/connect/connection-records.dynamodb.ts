/**
 * Connections: one row each, and a pointer per session, vault and server to the latest connection for which calls wait.
 * DynamoDB removes both a week after the link has expired.
 */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ConnectId, type Instant } from '#contract/ids.ts';
import type { ConnectionFacts, Connection, ConnectionRecords } from '#core/ports/connection-records.ts';
import type { Saved } from '#core/ports/records.ts';
import {
  connectionKey,
  connectionOf,
  factsRow,
  pointerKey,
  removableAt,
  sessionPartition,
  UNSETTLED,
  waitingText,
} from '#aws/connect/connection-row.ts';
import { isOf, textOf } from '#aws/row.ts';
import { createTable, EXISTS, IS_NEW, mustBeSaved, type Change } from '#aws/table.ts';

const isPending = '#status = :pending';
const pending = { pending: 'pending' };
const noAttempt = { attempt: null, nonce: null };
const unsettled = (id: ConnectId, since: Instant) => ({ listPk: UNSETTLED, listSk: `${since}#${id}` });
const settled = { storing: null, listPk: null, listSk: null };

export function createConnectionRecords(dynamodb: DynamoDBClient, name: string): ConnectionRecords {
  const table = createTable(dynamodb, name);

  async function find(id: ConnectId): Promise<Connection | null> {
    const row = await table.get(connectionKey(id));
    return row === null ? null : connectionOf(row);
  }

  async function change(id: ConnectId, { values, ...more }: Change): Promise<Saved> {
    return (await table.update(connectionKey(id), { ...more, values: { ...pending, ...values } })).status;
  }

  return {
    async create(facts) {
      mustBeSaved(await table.put(factsRow(facts, []), { when: [IS_NEW] }));
    },

    async join(facts, waiting, until) {
      const pointer = await table.get(pointerKey(waiting.session, facts.vault, facts.server.url));
      if (!isOf(pointer, facts.workspace)) return { status: 'none', latest: null };
      const latest = ConnectId.parse(textOf(pointer, 'link'));
      const found = await find(latest);
      // The facts of a connection never change, so they may be read before the update.
      if (found === null || !asksForAll(found, facts)) return { status: 'none', latest };
      const lastsLongEnough = 'openUntil > :until';
      const { status, row } = await table.update(connectionKey(latest), {
        when: [isPending, lastsLongEnough],
        values: { ...pending, until },
        set: waiting.call === null ? {} : { isForCall: true },
        add: { waiting: new Set([waitingText(waiting)]) },
        returns: 'new',
      });
      if (status === 'conflict' || row === null) return { status: 'none', latest };
      return { status: 'joined', record: connectionOf(row) };
    },

    async createWaiting(facts, waiting, latest) {
      const { workspace, id: link } = facts;
      const key = pointerKey(waiting.session, facts.vault, facts.server.url);
      const isUnchanged = latest === null ? IS_NEW : 'link = :latest';
      const pointer = { ...key, expiresAt: removableAt(facts), workspace, link };
      const saved = await table.transact([
        table.putting(pointer, { when: [isUnchanged], values: { latest } }),
        table.putting(factsRow(facts, [waiting]), { when: [IS_NEW] }),
      ]);
      return saved.status;
    },

    find,

    async ofSession(workspace, session) {
      const records: Connection[] = [];
      for await (const pointer of table.rows({ where: 'pk = :pk', values: { pk: sessionPartition(session) } })) {
        const found = isOf(pointer, workspace) ? await find(ConnectId.parse(textOf(pointer, 'link'))) : null;
        if (found !== null) records.push(found);
      }
      return records.toSorted((one, other) => other.createdAt.localeCompare(one.createdAt));
    },

    async *unsettled(before: Instant) {
      const where = 'listPk = :unsettled AND listSk < :before';
      const rows = table.rows({ index: 'list', where, values: { unsettled: UNSETTLED, before } });
      for await (const row of rows) yield connectionOf(row).id;
    },

    // Each change is conditional on the state that the row must still have.
    begin: (id, attempt) =>
      change(id, { when: [isPending], set: { attempt: JSON.stringify(attempt), nonce: attempt.nonce } }),

    registerAnew(id) {
      const isFirst = 'attribute_not_exists(registeredAnew)';
      return change(id, { when: [isPending, isFirst], set: { registeredAnew: true } });
    },

    take(id, nonce) {
      const isThisAttempt = 'nonce = :nonce';
      return change(id, { when: [isPending, isThisAttempt], values: { nonce }, set: noAttempt });
    },

    storing(id, storing) {
      const set = storing === null ? settled : { storing: JSON.stringify(storing), ...unsettled(id, storing.since) };
      return change(id, { when: [isPending], set });
    },

    complete(id, at) {
      const isCompleted = '#status = :completed';
      return change(id, {
        when: [`${isPending} OR ${isCompleted}`],
        values: { completed: 'completed' },
        set: { status: 'completed', error: null, ...noAttempt },
        // The first instant stays.
        setOnce: { endedAt: at },
      });
    },

    fail: (id, error, at) =>
      change(id, {
        when: [isPending],
        set: { status: 'failed', error, endedAt: at, ...unsettled(id, at), ...noAttempt },
      }),

    trouble: (id, error) => change(id, { when: [isPending], set: { error } }),

    async resumed(id, waiting) {
      await change(id, { when: [EXISTS], subtract: { waiting: new Set([waitingText(waiting)]) } });
    },

    async settled(id) {
      const isOver = '#status <> :pending';
      // A call that has joined meanwhile still has to be told.
      const isAwaitedByNone = 'attribute_not_exists(waiting)';
      await change(id, { when: [isOver, isAwaitedByNone], set: settled });
    },
  };
}

function asksForAll(record: Connection, { scopes, server }: Pick<ConnectionFacts, 'scopes' | 'server'>): boolean {
  const asked = new Set(record.scopes);
  const sameBeginning = record.server.resourceMetadata === server.resourceMetadata;
  return sameBeginning && scopes.every((scope) => asked.has(scope));
}
