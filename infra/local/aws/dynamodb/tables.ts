import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import type { TablePart } from '../../template/parts.ts';
import type { Upstream } from './upstream.ts';

const Description = z.object({
  Table: z.object({
    TableStatus: z.string(),
    KeySchema: z.array(z.object({ AttributeName: z.string(), KeyType: z.string() })),
    GlobalSecondaryIndexes: z.array(z.object({ IndexName: z.string() })).optional(),
  }),
});

const Keys = z.object({
  KeySchema: z.array(z.object({ AttributeName: z.string(), KeyType: z.string() })),
  GlobalSecondaryIndexes: z.array(z.object({ IndexName: z.string() })).optional(),
});

const MAX_POLLS = 200;

/** Creates the template's tables where they are missing, and waits until all can be used. */
export async function ensureTables(upstream: Upstream, tables: readonly TablePart[]): Promise<void> {
  for (const table of tables) await ensureTable(upstream, table);
}

/** @throws when a table of this name exists with other keys or indexes: it holds data of another template */
async function ensureTable(upstream: Upstream, table: TablePart): Promise<void> {
  const found = await describe(upstream, table.name);
  if (found === null) {
    await accept(upstream, 'CreateTable', table.createTable);
    await untilActive(upstream, table.name);
    if (table.ttlAttribute !== null) {
      const TimeToLiveSpecification = { AttributeName: table.ttlAttribute, Enabled: true };
      await accept(upstream, 'UpdateTimeToLive', { TableName: table.name, TimeToLiveSpecification });
    }
    return;
  }
  if (shapeOf(found.Table) !== shapeOf(Keys.parse(table.createTable))) {
    throw new Error(
      `table ${table.name} exists with other keys or indexes than the template's: use another data folder`,
    );
  }
  await untilActive(upstream, table.name);
}

function shapeOf(keys: z.infer<typeof Keys>): string {
  const indexes = (keys.GlobalSecondaryIndexes ?? []).map(({ IndexName }) => IndexName).toSorted();
  return JSON.stringify([keys.KeySchema, indexes]);
}

async function untilActive(upstream: Upstream, table: string): Promise<void> {
  for (let poll = 0; poll < MAX_POLLS; poll += 1) {
    const found = await describe(upstream, table);
    if (found?.Table.TableStatus === 'ACTIVE') return;
    await sleep(25);
  }
  throw new Error(`table ${table} does not become active`);
}

async function describe(upstream: Upstream, table: string): Promise<z.infer<typeof Description> | null> {
  const response = await upstream.call('DescribeTable', { TableName: table });
  const body: unknown = JSON.parse(response.body.toString());
  if (response.status === 200) return Description.parse(body);
  if (String(Object(body).__type).endsWith('ResourceNotFoundException')) return null;
  throw new Error(`DescribeTable ${table}: status ${response.status} ${Object(body).__type}`);
}

async function accept(upstream: Upstream, operation: string, input: unknown): Promise<void> {
  const response = await upstream.call(operation, input);
  if (response.status !== 200) throw new Error(`${operation}: status ${response.status} ${response.body.toString()}`);
}
