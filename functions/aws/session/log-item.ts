/** One append as one DynamoDB item, and back. Bytes at rest are parsed like any other input. */
import * as z from 'zod';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { Entry, SessionState } from '#contract/entries.ts';
import type { Instant } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Head, LogKey, PositionedEntry } from '#core/ports/session-log.ts';

export type Item = Record<string, AttributeValue>;

/** DynamoDB refuses an item over 400 KB; the folded state and the names need a share of it. */
export const MAX_INLINE_BYTES = 200_000;

const Entries = z.array(Entry);

export interface AppendBody {
  readonly key: LogKey;
  readonly first: number;
  readonly last: number;
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

export function toItem(body: AppendBody): Item {
  return {
    pk: { S: partition(body.key) },
    sk: { N: String(body.first) },
    last: { N: String(body.last) },
    state: { S: JSON.stringify(body.state) },
    at: { S: body.at },
    append: { S: body.append },
    ...(body.cause === undefined ? {} : { cause: { S: body.cause } }),
    ...(body.content.in === 'item' ? { entries: { S: body.content.json } } : { entriesKey: { S: body.content.key } }),
  };
}

export function headOf(item: Item): Head {
  return { position: numberOf(item, 'last'), state: parse(SessionState, textOf(item, 'state'), item) };
}

/** Positions of the first and the last entry. */
export function rangeOf(item: Item): { readonly first: number; readonly last: number } {
  return { first: numberOf(item, 'sk'), last: numberOf(item, 'last') };
}

export function appendOf(item: Item): string {
  return textOf(item, 'append');
}

export async function entriesOf(
  item: Item,
  fetch: (key: string) => Promise<string>,
): Promise<readonly PositionedEntry[]> {
  const json = item['entriesKey']?.S === undefined ? textOf(item, 'entries') : await fetch(item['entriesKey'].S);
  const { first } = rangeOf(item);
  return parse(Entries, json, item).map((entry, index) => ({ position: first + index, entry }));
}

function parse<Schema extends z.ZodType>(schema: Schema, json: string, item: Item): z.infer<Schema> {
  try {
    return schema.parse(JSON.parse(json));
  } catch (cause) {
    throw new Fault('stored_data_invalid', `log item ${item['pk']?.S}#${item['sk']?.N} does not have its shape`, {
      // A zod or JSON error quotes the value it refuses, which is user content.
      cause: cause instanceof Error ? cause.name : 'unknown',
    });
  }
}

function textOf(item: Item, name: string): string {
  const value = item[name]?.S;
  if (value === undefined) throw new Fault('stored_data_invalid', `a log item lacks its attribute ${name}`);
  return value;
}

function numberOf(item: Item, name: string): number {
  const value = item[name]?.N;
  if (value === undefined) throw new Fault('stored_data_invalid', `a log item lacks its attribute ${name}`);
  return Number(value);
}
