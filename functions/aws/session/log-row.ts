/** One append as one row of the log's table, and back. Bytes at rest are parsed like any other input. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { Entry, SessionState } from '#contract/entries.ts';
import { Position, positionAfter, type Instant } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Head, LogKey, PositionedEntry } from '#core/ports/session-log.ts';
import { bodyOf, json, parseRow } from '#aws/row.ts';
import { createTable, type Columns, type Key, type Row, type Table } from '#aws/table.ts';

/** DynamoDB refuses an item over 400 KB; the folded state and the names need a share of it. */
export const MAX_INLINE_BYTES = 200_000;

const Entries = z.array(Entry);
const Last = z.object({ last: Position, state: json(SessionState) });
const Range = z.object({ sk: Position, last: Position });

export function logTableOf(dynamodb: DynamoDBClient, name: string): Table {
  return createTable(dynamodb, name, {
    unavailable: (cause) => {
      throw new Fault('log_unavailable', 'the session log did not answer', { cause });
    },
  });
}

interface AppendBody {
  readonly key: LogKey;
  readonly first: Position;
  readonly last: Position;
  /** JSON of the entries, or the key of the object that holds it. */
  readonly content: { readonly in: 'item'; readonly json: string } | { readonly in: 'bucket'; readonly key: string };
  readonly state: SessionState;
  readonly at: Instant;
  /** The request that asked for it. */
  readonly cause?: string;
  /** Names this append, so that its writer recognises it after a lost answer. */
  readonly append: string;
}

export function partition(key: LogKey): string {
  return `${key.session}/${key.thread}`;
}

export function rowOf({ key, first, last, content, state, at, append, cause }: AppendBody): Key & Columns {
  return {
    ...{ pk: partition(key), sk: first },
    ...{ last, state: JSON.stringify(state), at, append, cause: cause ?? null },
    ...(content.in === 'item' ? { entries: content.json } : { entriesKey: content.key }),
  };
}

export function headOf(row: Row): Head {
  const { last, state } = parseRow(Last, row);
  return { position: last, state };
}

/** Positions of the first and the last entry. */
export function rangeOf(row: Row): { readonly first: Position; readonly last: Position } {
  const { sk, last } = parseRow(Range, row);
  return { first: sk, last };
}

export async function entriesOf(
  row: Row,
  fetch: (key: string) => Promise<string>,
): Promise<readonly PositionedEntry[]> {
  const entriesKey = row['entriesKey'];
  const entries = typeof entriesKey === 'string' ? await fetch(entriesKey) : row['entries'];
  const { first } = rangeOf(row);
  return bodyOf({ ...row, entries }, 'entries', Entries).map((entry, index) => ({
    position: positionAfter(first, index),
    entry,
  }));
}
