import { randomUUID } from 'node:crypto';
import { GetItemCommand, PutItemCommand, TransactWriteItemsCommand } from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { fold } from '#core/session/evolve.ts';
import type { ContentStore } from '#aws/session/content.s3.ts';
import { firstAppend } from '#aws/session/log-writes.dynamodb.ts';
import { createSessionLog } from '#aws/session/session-log.dynamodb.ts';
import { startDynamoDb } from '#test/ports/dynamodb.ts';
import { CREATED, KEY, NOW } from '#test/functions/core/given.ts';
import { appendOf, saying, sessionLogSuite } from '#test/ports/session-log.suite.ts';

/** A bucket in memory, because only two of its operations matter here. The S3 adapter has a test of its own. */
function contentInMemory(): ContentStore {
  const objects = new Map<string, string>();
  return {
    put: async (key, content) => void objects.set(key, content),
    get: async (key) => objects.get(key) ?? '',
  };
}

async function start() {
  const { client, logTable, recordsTable, close } = await startDynamoDb();
  const content = contentInMemory();
  const log = createSessionLog({ dynamodb: client, logTable, recordsTable, content, newName: randomUUID });
  return {
    client,
    logTable,
    recordsTable,
    log,
    close,
    async create(key: typeof KEY, entries: readonly (typeof CREATED)[]) {
      const head = fold(null, entries);
      const first = { entries, state: head.state, at: NOW, name: randomUUID() };
      const row = { pk: { S: key.session }, sk: { S: 'session' } };
      await client.send(
        new TransactWriteItemsCommand({
          TransactItems: [
            await firstAppend({ dynamodb: client, logTable, content }, key, first),
            { Put: { TableName: recordsTable, Item: row } },
          ],
        }),
      );
      return head;
    },
    async row(key: typeof KEY) {
      const row = { pk: { S: key.session }, sk: { S: 'session' } };
      const { Item } = await client.send(
        new GetItemCommand({ TableName: recordsTable, Key: row, ConsistentRead: true }),
      );
      return Item === undefined
        ? null
        : { status: (Item['status']?.S ?? '') as 'running', run: Number(Item['run']?.N) };
    },
  };
}

sessionLogSuite('DynamoDB', start);

describe('the session log in DynamoDB', () => {
  it('recognises its own append after a lost answer', async () => {
    const under = await start();
    const name = randomUUID();
    const log = createSessionLog({
      dynamodb: under.client,
      logTable: under.logTable,
      recordsTable: under.recordsTable,
      content: contentInMemory(),
      newName: () => name,
    });
    const created = await under.create(KEY, [CREATED]);
    const append = appendOf(KEY, created, [saying('a')]);
    const first = await log.append(append);
    expect(await log.append(append)).toEqual(first);
    await under.close();
  });

  it('refuses stored bytes that are not a log’s, without quoting them', async () => {
    const under = await start();
    const item = {
      pk: { S: `${KEY.session}/${KEY.thread}` },
      sk: { N: '1' },
      last: { N: '1' },
      state: { S: '{"canary":"user content"}' },
      entries: { S: '[]' },
    };
    await under.client.send(new PutItemCommand({ TableName: under.logTable, Item: item }));
    const failure = await under.log.head(KEY).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'stored_data_invalid', message: expect.stringContaining(KEY.session) });
    expect(JSON.stringify(failure)).not.toContain('canary');
    await under.close();
  });
});
