/** The session log on DynamoDB: one append to one log, one row. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Entry } from '#contract/entries.ts';
import { Position, positionAfter } from '#contract/ids.ts';
import type { Order } from '#contract/pages.ts';
import { Fault } from '#core/ports/errors.ts';
import type {
  Append,
  Appended,
  Head,
  LogKey,
  LogWatch,
  NewThread,
  PositionedEntry,
  SessionLog,
} from '#core/ports/session-log.ts';
import type { ContentStore } from '#aws/session/content.s3.ts';
import {
  entriesOf,
  headOf,
  logTableOf,
  partition,
  rangeOf,
  createLogWriter,
} from '#aws/session/log-writes.dynamodb.ts';
import type { Query, Row, Table } from '#aws/table.ts';

export interface SessionLogOptions {
  readonly dynamodb: DynamoDBClient;
  readonly logTable: string;
  readonly recordsTable: string;
  readonly content: ContentStore;
  /** Makes the name of an append; unique. */
  readonly newName: () => string;
}

const NOTHING = { entries: [], head: null };

export function createSessionLog(options: SessionLogOptions): SessionLog & LogWatch {
  const { content } = options;
  const table = logTableOf(options.dynamodb, options.logTable);
  const write = createLogWriter(options);
  const fetch = (key: string) => content.get(key);
  const ask = repeating(table);
  const askLast = repeating(table);

  async function newest(query: Omit<Query, 'order' | 'limit'>): Promise<Row | undefined> {
    const { rows } = await table.page({ ...query, order: 'desc', limit: 1 });
    return rows[0];
  }

  async function head(key: LogKey): Promise<Head | null> {
    // Waking needs the folded state only; the entries may be hundreds of kilobytes.
    const columns = ['pk', 'sk', 'last', 'state'];
    const row = await newest({ where: 'pk = :pk', values: { pk: partition(key) }, columns });
    return row === undefined ? null : headOf(row);
  }

  function pages(key: LogKey, from: Position, order: Order): AsyncGenerator<readonly Row[]> {
    return table.pages({ where: 'pk = :pk AND sk >= :from', values: { pk: partition(key), from }, order });
  }

  async function read(key: LogKey, from: Position) {
    const rows: Row[] = [];
    for await (const page of pages(key, from, 'asc')) rows.push(...page);
    const last = rows.at(-1);
    return last === undefined ? NOTHING : { entries: await entriesIn(rows), head: headOf(last) };
  }

  /** Newest first, because the newest row tells how far back the slice goes. */
  async function slice(key: LogKey, from: Position) {
    const rows: Row[] = [];
    for await (const page of pages(key, from, 'desc')) {
      rows.push(...page);
      const oldest = rows.at(-1);
      if (oldest !== undefined && rangeOf(oldest).first <= sliceBegin(rows, from)) break;
    }
    const [newestRow] = rows;
    if (newestRow === undefined) return NOTHING;
    const begin = sliceBegin(rows, from);
    // The last page may reach far beyond the slice: rows before it are not parsed, nor fetched from the bucket.
    const entries = await entriesIn(rows.filter((row) => rangeOf(row).last >= begin).toReversed());
    return { entries: entries.filter(({ position }) => position >= begin), head: headOf(newestRow) };
  }

  async function entriesIn(rows: readonly Row[]): Promise<readonly PositionedEntry[]> {
    return (await Promise.all(rows.map((row) => entriesOf(row, fetch)))).flat();
  }

  async function entryAt(key: LogKey, position: Position): Promise<Entry | null> {
    const where = 'pk = :pk AND sk <= :position';
    const row = await newest({ where, values: { pk: partition(key), position } });
    const entries: readonly PositionedEntry[] = row === undefined ? [] : await entriesOf(row, fetch);
    return entries.find((entry) => entry.position === position)?.entry ?? null;
  }

  async function isFollowed(key: LogKey, at: Position): Promise<boolean> {
    const where = 'pk = :pk AND sk > :at';
    const rows = await ask({ where, values: { pk: partition(key), at }, columns: ['pk'], limit: 1, consistent: false });
    return rows.length > 0;
  }

  async function lastPosition(key: LogKey): Promise<Position | null> {
    const columns = ['pk', 'sk', 'last'];
    const [row] = await askLast({
      where: 'pk = :pk',
      values: { pk: partition(key) },
      columns,
      order: 'desc',
      limit: 1,
    });
    return row === undefined ? null : rangeOf(row).last;
  }

  async function append(append: Append, ...beside: readonly (Append | NewThread)[]): Promise<Appended> {
    const written = await write(append, beside, options.newName());
    if (written === 'saved') {
      const position = positionAfter(append.after.position, append.entries.length);
      return { status: 'appended', head: { position, state: append.state } };
    }
    const [now, ...others] = await Promise.all([append, ...beside].map(({ key }) => head(key)));
    if (now == null) throw new Fault('session_gone', `the session ${append.key.session} was deleted`);
    return { status: 'conflict', head: now, beside: others };
  }

  return { head, read, slice, isFollowed, lastPosition, append, entryAt };
}

/** Keeps the question that was asked last: a stream asks one until something happens. */
function repeating({ asking }: Table): (query: Query) => Promise<readonly Row[]> {
  let last = { values: '', ask: async (): Promise<readonly Row[]> => [] };
  return (query) => {
    const values = JSON.stringify(query.values);
    if (last.values !== values) last = { values, ask: asking(query) };
    return last.ask();
  };
}

function sliceBegin([newest]: readonly Row[], from: Position): number {
  return newest === undefined ? from : Position.parse(Math.max(from, headOf(newest).state.sliceFrom));
}
