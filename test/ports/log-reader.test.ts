import { Position } from '#contract/ids.ts';
import { randomUUID } from 'node:crypto';
import { TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLogReader } from '#aws/session/log-reader.dynamodb.ts';
import { createLogRemover } from '#aws/session/log-remover.dynamodb.ts';
import { firstAppend } from '#aws/session/log-writes.dynamodb.ts';
import { createSessionLog } from '#aws/session/session-log.dynamodb.ts';
import type { Head } from '#core/ports/session-log.ts';
import { fold } from '#core/session/evolve.ts';
import { CREATED, KEY, NOW } from '#test/functions/core/given.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';
import { saying } from '#test/ports/session-log.suite.ts';

const APPENDS = 450;

describe('a log of many appends', () => {
  let db: TestDynamoDb;
  const objects = new Map<string, string>();
  const content = {
    put: async (key: string, text: string) => void objects.set(key, text),
    get: async (key: string) => objects.get(key) ?? '',
    removeAll: async (prefix: string) => {
      for (const key of objects.keys()) if (key.startsWith(prefix)) objects.delete(key);
    },
  };
  const tables = () => ({
    dynamodb: db.client,
    logTable: db.logTable,
    recordsTable: db.recordsTable,
    content,
    newName: randomUUID,
  });

  beforeAll(async () => {
    db = await startDynamoDb();
    let head: Head = fold(null, [CREATED]);
    const first = await firstAppend(
      tables(),
      { key: KEY, entries: [CREATED], state: head.state, at: NOW },
      randomUUID(),
    );
    await db.client.send(new TransactWriteItemsCommand({ TransactItems: [first] }));
    const log = createSessionLog(tables());
    for (let count = 1; count < APPENDS; count += 1) {
      const entries = [saying(count === 7 ? 'x'.repeat(300_000) : `${count}`), saying('again')];
      const appended = await log.append({ key: KEY, after: head, entries, state: fold(head, entries).state, at: NOW });
      head = appended.head;
    }
  });
  afterAll(() => db.close());

  const firsts = async (order: 'asc' | 'desc', from: number) => {
    const seen: number[] = [];
    for await (const append of createLogReader(tables()).appends(KEY, order, Position.parse(from)))
      seen.push(append.first);
    return seen;
  };
  const all = [1, ...Array.from({ length: APPENDS - 1 }, (_, index) => 2 + 2 * index)];

  it('is read from either end, across the pages of the queries', async () => {
    expect(await firsts('asc', 1)).toEqual(all);
    expect(await firsts('desc', 2 * APPENDS)).toEqual(all.toReversed());
  });

  it('is read on from where a reader stopped', async () => {
    expect(await firsts('asc', 800)).toEqual(all.filter((first) => first >= 800));
    expect(await firsts('desc', 9)).toEqual([8, 6, 4, 2, 1]);
  });

  it('is read only as far as the reader goes', async () => {
    for await (const append of createLogReader(tables()).appends(KEY, 'asc', Position.parse(14))) {
      expect(append.entries).toHaveLength(2);
      break;
    }
  });

  it('is deleted with all its content, and from its beginning again after a crash in between', async () => {
    objects.set(`${KEY.session}/${KEY.thread}/3-of-a-lost-append.json`, '[]');
    objects.set(`${KEY.session}0/of-another-session.json`, '[]');
    expect(objects.size).toBe(3);
    const crashed = { ...content, removeAll: () => Promise.reject(new Error('killed')) };
    await expect(createLogRemover({ ...tables(), content: crashed }).remove(KEY.session)).rejects.toThrow('killed');
    expect(await firsts('asc', 1)).toEqual(all.slice(-1));
    await createLogRemover(tables()).remove(KEY.session);
    expect(await firsts('asc', 1)).toEqual([]);
    expect([...objects.keys()]).toEqual([`${KEY.session}0/of-another-session.json`]);
    await createLogRemover(tables()).remove(KEY.session);
  });
});
