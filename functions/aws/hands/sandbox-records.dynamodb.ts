/** The records of a session's hands, and the marks of the calls sent to them. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { SandboxNetwork } from '#contract/egress.ts';
import { EnvironmentId, HandId, Instant, mainHand, type EventId, type HandKey, type SessionId } from '#contract/ids.ts';
import { PackageList } from '#contract/packages.ts';
import { Fault } from '#core/ports/errors.ts';
import type {
  HandRecord,
  ProxyRecords,
  ProxySlot,
  SandboxRecord,
  SandboxRecords,
  StartRecords,
} from '#core/ports/sandboxes.ts';
import { handKey, isMain, MAIN_HAND, OTHER_HANDS, planColumns, planKey } from '#aws/hand-rows.ts';
import { json, optional, parseRow, textOf } from '#aws/row.ts';
import {
  createTable,
  EXISTS,
  IS_NEW,
  type Change,
  type Columns,
  type Key as RowKey,
  type Row,
  type Table,
} from '#aws/table.ts';

/** A mark outlives every retry of its call: an execution's last retry comes within a day. */
const MARK_TTL_SECONDS = 7 * 86_400;

const planned = { packages: optional(json(PackageList)), environment: EnvironmentId.optional() };
const common = {
  ...planned,
  generation: z.int().min(1),
  token: z.string().min(1),
  lastUsedAt: Instant,
  archive: optional(z.string()),
  network: optional(json(SandboxNetwork)),
  replaces: z.boolean().optional(),
  told: z.set(z.string()).optional(),
};
const proxy = { unreachable: z.int().optional() };
const start = {
  attempt: z.int().min(1),
  since: Instant,
  notBefore: Instant,
  watcher: z.string(),
  watchedUntil: Instant,
};
const Planned = z.object({ ...planned, status: z.literal('planned'), generation: z.literal(0) });
const Stored = z.discriminatedUnion('status', [
  Planned,
  z.object({ ...common, ...start, status: z.literal('starting') }),
  z.object({ ...common, status: z.literal('lost'), task: optional(z.string()) }),
  z.object({ ...common, status: z.literal('failed'), reason: z.string(), retryAt: Instant }),
  z.object({
    ...common,
    status: z.literal('ready'),
    task: z.string(),
    address: z.string(),
    readyAt: Instant,
    ...proxy,
  }),
]);

const Mark = z.object({ generation: z.int() });

function handIn(row: Row, session: SessionId): HandKey {
  const sk = textOf(row, 'sk');
  return sk === MAIN_HAND ? mainHand(session) : { session, hand: HandId.parse(sk.slice(OTHER_HANDS.length)) };
}

const sessionKey = (session: SessionId): RowKey => ({ pk: session, sk: 'session' });
const markKey = ({ session }: HandKey, call: EventId): RowKey => ({ pk: session, sk: `call#${call}` });

/** The first row of a session with packages; a session without packages has no row until it needs a sandbox. */
export function plannedSandbox(session: SessionId, list: PackageList) {
  return { ...handKey(mainHand(session)), generation: 0, status: 'planned', packages: JSON.stringify(list) };
}

interface StartTable<Key extends object> {
  readonly keyOf: (key: Key) => RowKey;
  /** A row without which none may be reserved. */
  readonly ownerOf: (key: Key) => RowKey | null;
  /** The row that says what a task is to be, while it has none of its own. */
  readonly planOf: (key: Key) => RowKey | null;
}

const isThisGeneration = '#generation = :generation';
const isStarting = '#status = :starting';

function createStartRecords<Key extends object>(table: Table, { keyOf, ownerOf, planOf }: StartTable<Key>) {
  /** Writes when the conditions hold; answers the record that stands afterwards in either case. */
  async function update(key: Key, change: Change): Promise<SandboxRecord | null> {
    const { row } = await table.update(keyOf(key), { ...change, returns: 'new' });
    return row === null ? null : recordOf(row);
  }

  async function endStart(key: Key, generation: number, set: Columns): Promise<SandboxRecord> {
    const values = { generation, starting: 'starting' };
    return present(await update(key, { when: [isThisGeneration, isStarting], values, set }), key);
  }

  const records: StartRecords<Key> = {
    async find(key) {
      const row = await table.get(keyOf(key));
      if (row !== null) return recordOf(row);
      const planned = planOf(key);
      const plan = planned && (await table.get(planned));
      return plan?.['environment'] === undefined
        ? null
        : parseRow(Planned, { ...plan, status: 'planned', generation: 0 });
    },

    async reserve(key, previous, { at, network = null, plan, ...begun }) {
      const isPrevious = '#generation = :previous';
      const isFirst = 'attribute_not_exists(#generation)';
      const began = { ...begun, generation: previous + 1, status: 'starting', lastUsedAt: at };
      const reserving = table.updating(keyOf(key), {
        when: [previous === 0 ? `${isFirst} OR ${isPrevious}` : isPrevious],
        values: { previous },
        set: {
          ...(plan && planColumns(plan)),
          ...{ ...began, network: network && JSON.stringify(network) },
          ...{ task: null, address: null, readyAt: null, reason: null, retryAt: null, unreachable: null },
        },
      });
      // A late invocation must not leave a row, and a sandbox, of a session that was deleted.
      const owner = ownerOf(key);
      const checks = owner === null ? [] : [table.checking(owner, { when: [EXISTS] })];
      const { status } = await table.transact([reserving, ...checks]);
      const row = await table.get(keyOf(key));
      const record = row === null ? null : recordOf(row);
      const isUnchanged = status === 'conflict' && (record?.generation ?? 0) === previous;
      return isUnchanged ? null : present(record, key);
    },

    async watch(key, generation, { watcher, at, until }) {
      const isFree = '#watcher = :watcher OR #watchedUntil < :at';
      const values = { generation, starting: 'starting', watcher, at };
      const set = { watcher, watchedUntil: until };
      return present(await update(key, { when: [isThisGeneration, isStarting, isFree], values, set }), key);
    },

    ready: (key, generation, { task, address, at }) =>
      endStart(key, generation, { status: 'ready', task, address, readyAt: at, lastUsedAt: at }),

    async lost(key, generation) {
      const set = { status: 'lost', replaces: true, told: null };
      await update(key, { when: [isThisGeneration], values: { generation }, set });
    },

    failed: (key, generation, { reason, retryAt }) => endStart(key, generation, { status: 'failed', reason, retryAt }),
  };
  return { ...records, update };
}

export function createProxyRecords(dynamodb: DynamoDBClient, name: string): ProxyRecords {
  const keyOf = ({ slot }: ProxySlot): RowKey => ({ pk: 'egress', sk: `proxy#${slot}` });
  const { update, ...records } = createStartRecords(createTable(dynamodb, name), {
    keyOf,
    ownerOf: () => null,
    planOf: () => null,
  });
  return {
    ...records,
    async unreachable(key, generation) {
      const when = [isThisGeneration, '#status = :ready'];
      await update(key, { when, values: { generation, ready: 'ready' }, add: { unreachable: 1 } });
    },
  };
}

export function createSandboxRecords(dynamodb: DynamoDBClient, name: string): SandboxRecords {
  const table = createTable(dynamodb, name);
  const { update, ...records } = createStartRecords<HandKey>(table, {
    keyOf: handKey,
    ownerOf: ({ session }) => sessionKey(session),
    planOf: (hand) => (isMain(hand) ? null : planKey(hand)),
  });

  return {
    ...records,

    async ofSession(session) {
      const found: HandRecord[] = [];
      const where = 'pk = :pk AND begins_with(sk, :sk)';
      for await (const row of table.rows({ where, values: { pk: session, sk: MAIN_HAND } }))
        found.push({ hand: handIn(row, session), record: recordOf(row) });
      return found;
    },

    async told(hand, thread, generation) {
      await update(hand, { when: [isThisGeneration], values: { generation }, add: { told: new Set([thread]) } });
    },

    async send(hand, call, generation, at) {
      const exists = 'attribute_exists(#generation)';
      const [record, mark] = await Promise.all([
        update(hand, { when: [exists], set: { lastUsedAt: at } }),
        markCall(hand, call, generation, at),
      ]);
      return { record, ...mark };
    },

    async sentTo(hand, call) {
      const row = await table.get(markKey(hand, call));
      return row === null ? null : parseRow(Mark, row).generation;
    },
  };

  async function markCall(hand: HandKey, call: EventId, generation: number, at: string) {
    const expiresAt = Math.floor(Date.parse(at) / 1000) + MARK_TTL_SECONDS;
    const mark = { ...markKey(hand, call), generation, expiresAt };
    const { status, row } = await table.put(mark, { when: [IS_NEW] });
    return status === 'saved' || row === null
      ? { sentTo: generation, again: false }
      : { sentTo: parseRow(Mark, row).generation, again: true };
  }
}

function recordOf(row: Row): SandboxRecord {
  return parseRow(Stored, row);
}

function present(record: SandboxRecord | null, key: object): SandboxRecord {
  if (record === null) throw new Fault('stored_data_invalid', `the record of ${JSON.stringify(key)} vanished`);
  return record;
}
