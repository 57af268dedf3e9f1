import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { TablePart } from '../../template/parts.ts';
import type { Upstream } from './upstream.ts';

const Keys = z.object({
  KeySchema: z.array(z.object({ AttributeName: z.string(), KeyType: z.string() })),
  GlobalSecondaryIndexes: z.array(z.object({ IndexName: z.string() })).default([]),
});
const Description = z.object({ Table: Keys.extend({ TableStatus: z.string() }) });

const MAX_POLLS = 200;

/** Creates the template's tables where they are missing, and waits until all can be used. */
export async function ensureTables(upstream: Upstream, tables: readonly TablePart[]): Promise<void> {
  for (const table of tables) await ensureTable(upstream, table);
}

/** @throws when a table of this name exists with other keys or indexes: it holds data of another template */
async function ensureTable(upstream: Upstream, { name, createTable, ttlAttribute }: TablePart): Promise<void> {
  const found = await describe(upstream, name);
  if (found === null) await accept(upstream, 'CreateTable', createTable);
  else if (shapeOf(found) !== shapeOf(Keys.parse(createTable))) {
    throw new Error(`table ${name} exists with other keys or indexes than the template's: use another data folder`);
  }
  await untilActive(upstream, name);
  if (found !== null || ttlAttribute === null) return;
  const TimeToLiveSpecification = { AttributeName: ttlAttribute, Enabled: true };
  await accept(upstream, 'UpdateTimeToLive', { TableName: name, TimeToLiveSpecification });
}

function shapeOf({ KeySchema, GlobalSecondaryIndexes }: z.infer<typeof Keys>): string {
  return JSON.stringify([KeySchema, GlobalSecondaryIndexes.map(({ IndexName }) => IndexName).toSorted()]);
}

async function untilActive(upstream: Upstream, table: string): Promise<void> {
  for (let poll = 0; poll < MAX_POLLS; poll += 1) {
    const found = await describe(upstream, table);
    if (found?.TableStatus === 'ACTIVE') return;
    await sleep(25);
  }
  throw new Error(`table ${table} does not become active`);
}

async function describe(upstream: Upstream, table: string): Promise<z.infer<typeof Description>['Table'] | null> {
  const response = await upstream.call('DescribeTable', { TableName: table });
  const body: unknown = JSON.parse(response.body.toString());
  if (response.status === 200) return Description.parse(body).Table;
  if (String(Object(body).__type).endsWith('ResourceNotFoundException')) return null;
  throw new Error(`DescribeTable ${table}: status ${response.status} ${Object(body).__type}`);
}

async function accept(upstream: Upstream, operation: string, input: unknown): Promise<void> {
  const response = await upstream.call(operation, input);
  if (response.status !== 200) throw new Error(`${operation}: status ${response.status} ${response.body.toString()}`);
}
