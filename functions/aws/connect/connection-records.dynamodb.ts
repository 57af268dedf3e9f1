/**
 * Consents: one row each, and a pointer per session, vault and server to the latest link that calls wait for. Both
 * disappear a week after the link has run out.
 */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ConnectId, type Instant } from '#contract/ids.ts';
import type { ConnectionFacts, Connection, ConnectionRecords } from '#core/ports/connection-records.ts';
import { createConnectionChanges } from '#aws/connect/connection-changes.dynamodb.ts';
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
import { createTable, IS_NEW, mustBeSaved } from '#aws/table.ts';

export function createConnectionRecords(dynamodb: DynamoDBClient, name: string): ConnectionRecords {
  const table = createTable(dynamodb, name);

  async function find(id: ConnectId): Promise<Connection | null> {
    const row = await table.get(connectionKey(id));
    return row === null ? null : connectionOf(row);
  }

  return {
    ...createConnectionChanges(dynamodb, name),

    async create(facts) {
      mustBeSaved(await table.put(factsRow(facts, []), { when: [IS_NEW] }));
    },

    async join(facts, waiting, until) {
      const pointer = await table.get(pointerKey(waiting.session, facts.vault, facts.server.url));
      if (!isOf(pointer, facts.workspace)) return { status: 'none', latest: null };
      const latest = ConnectId.parse(textOf(pointer, 'link'));
      const found = await find(latest);
      // What is asked for stays as it was offered, so it may be looked at before.
      if (found === null || !asksForAll(found, facts)) return { status: 'none', latest };
      const isPending = '#status = :pending';
      const lastsLongEnough = 'openUntil > :until';
      const { status, row } = await table.update(connectionKey(latest), {
        when: [isPending, lastsLongEnough],
        values: { pending: 'pending', until },
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
  };
}

function asksForAll(record: Connection, { scopes, server }: Pick<ConnectionFacts, 'scopes' | 'server'>): boolean {
  const asked = new Set(record.scopes);
  const sameBeginning = record.server.resourceMetadata === server.resourceMetadata;
  return sameBeginning && scopes.every((scope) => asked.has(scope));
}
