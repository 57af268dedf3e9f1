/** The record of a session's sandbox, and the marks of the calls sent to it. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { Instant, type EventId, type SessionId } from '#contract/ids.ts';
import { PackageList } from '#contract/packages.ts';
import { Fault } from '#core/ports/errors.ts';
import type { SandboxRecord, SandboxRecords } from '#core/ports/sandboxes.ts';
import { json, optional, parseRow } from '#aws/row.ts';
import { createTable, EXISTS, IS_NEW, type Change, type Columns, type Key, type Row } from '#aws/table.ts';

/** A mark outlives every retry of its call: an execution's last retry comes within a day. */
const MARK_TTL_SECONDS = 7 * 86_400;

const common = {
  generation: z.int().min(1),
  token: z.string().min(1),
  lastUsedAt: Instant,
  packages: optional(json(PackageList)),
  archive: optional(z.string()),
  replaces: z.boolean().optional(),
  told: z.set(z.string()).optional(),
};
const start = {
  attempt: z.int().min(1),
  since: Instant,
  notBefore: Instant,
  watcher: z.string(),
  watchedUntil: Instant,
};
const Stored = z.discriminatedUnion('status', [
  z.object({ status: z.literal('planned'), generation: z.literal(0), packages: json(PackageList) }),
  z.object({ ...common, ...start, status: z.literal('starting') }),
  z.object({ ...common, status: z.literal('lost'), task: optional(z.string()) }),
  z.object({ ...common, status: z.literal('failed'), reason: z.string(), retryAt: Instant }),
  z.object({ ...common, status: z.literal('ready'), task: z.string(), address: z.string(), readyAt: Instant }),
]);

const Mark = z.object({ generation: z.int() });

const keyOf = (session: SessionId): Key => ({ pk: session, sk: 'sandbox' });
const sessionKey = (session: SessionId): Key => ({ pk: session, sk: 'session' });
const markKey = (session: SessionId, call: EventId): Key => ({ pk: session, sk: `call#${call}` });

/** The first row of a session with packages; a session without packages has no row until it needs a sandbox. */
export function plannedSandbox(session: SessionId, list: PackageList) {
  return { ...keyOf(session), generation: 0, status: 'planned', packages: JSON.stringify(list) };
}

export function createSandboxRecords(dynamodb: DynamoDBClient, name: string): SandboxRecords {
  const table = createTable(dynamodb, name);
  const isThisGeneration = '#generation = :generation';
  const isStarting = '#status = :starting';

  /** Writes when the conditions hold; answers the record that stands afterwards in either case. */
  async function update(session: SessionId, change: Change): Promise<SandboxRecord | null> {
    const { row } = await table.update(keyOf(session), { ...change, returns: 'new' });
    return row === null ? null : recordOf(row);
  }

  async function endStart(session: SessionId, generation: number, set: Columns): Promise<SandboxRecord> {
    const values = { generation, starting: 'starting' };
    return present(await update(session, { when: [isThisGeneration, isStarting], values, set }), session);
  }

  return {
    async find(session) {
      const row = await table.get(keyOf(session));
      return row === null ? null : recordOf(row);
    },

    async reserve(session, previous, { at, ...begun }) {
      const isPrevious = '#generation = :previous';
      const isFirst = 'attribute_not_exists(#generation)';
      const reserving = table.updating(keyOf(session), {
        when: [previous === 0 ? `${isFirst} OR ${isPrevious}` : isPrevious],
        values: { previous },
        set: {
          ...{ ...begun, generation: previous + 1, status: 'starting', lastUsedAt: at },
          ...{ task: null, address: null, readyAt: null, reason: null, retryAt: null },
        },
      });
      // A late invocation must not leave a row, and a sandbox, of a session that was deleted.
      const { status } = await table.transact([reserving, table.checking(sessionKey(session), { when: [EXISTS] })]);
      const row = await table.get(keyOf(session));
      const record = row === null ? null : recordOf(row);
      const isUnchanged = status === 'conflict' && (record?.generation ?? 0) === previous;
      return isUnchanged ? null : present(record, session);
    },

    async watch(session, generation, { watcher, at, until }) {
      const isFree = '#watcher = :watcher OR #watchedUntil < :at';
      const values = { generation, starting: 'starting', watcher, at };
      const set = { watcher, watchedUntil: until };
      return present(await update(session, { when: [isThisGeneration, isStarting, isFree], values, set }), session);
    },

    ready: (session, generation, { task, address, at }) =>
      endStart(session, generation, { status: 'ready', task, address, readyAt: at, lastUsedAt: at }),

    async lost(session, generation) {
      const set = { status: 'lost', replaces: true, told: null };
      await update(session, { when: [isThisGeneration], values: { generation }, set });
    },

    async told({ session, thread }, generation) {
      await update(session, { when: [isThisGeneration], values: { generation }, add: { told: new Set([thread]) } });
    },

    failed: (session, generation, { reason, retryAt }) =>
      endStart(session, generation, { status: 'failed', reason, retryAt }),

    async send(session, call, generation, at) {
      const exists = 'attribute_exists(#generation)';
      const [record, mark] = await Promise.all([
        update(session, { when: [exists], set: { lastUsedAt: at } }),
        markCall(session, call, generation, at),
      ]);
      return { record, ...mark };
    },

    async sentTo(session, call) {
      const row = await table.get(markKey(session, call));
      return row === null ? null : parseRow(Mark, row).generation;
    },
  };

  async function markCall(session: SessionId, call: EventId, generation: number, at: string) {
    const expiresAt = Math.floor(Date.parse(at) / 1000) + MARK_TTL_SECONDS;
    const mark = { ...markKey(session, call), generation, expiresAt };
    const { status, row } = await table.put(mark, { when: [IS_NEW] });
    return status === 'saved' || row === null
      ? { sentTo: generation, again: false }
      : { sentTo: parseRow(Mark, row).generation, again: true };
  }
}

function recordOf(row: Row): SandboxRecord {
  return parseRow(Stored, row);
}

function present(record: SandboxRecord | null, session: SessionId): SandboxRecord {
  if (record === null) throw new Fault('stored_data_invalid', `the sandbox record of ${session} vanished`);
  return record;
}
