import { randomUUID } from 'node:crypto';
import {
  GetItemCommand,
  PutItemCommand,
  TransactWriteItemsCommand,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { describe, expect, it } from 'vitest';
import { FIRST_POSITION } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import { isPrimary } from '#core/ports/session-log.ts';
import { fold } from '#core/session/evolve.ts';
import type { ContentStore } from '#aws/session/content.s3.ts';
import { firstAppend } from '#aws/session/log-writes.dynamodb.ts';
import { createSessionLog } from '#aws/session/session-log.dynamodb.ts';
import { startDynamoDb } from '#test/ports/dynamodb.ts';
import { CREATED, KEY, NOW } from '#test/functions/core/given.ts';
import { newThread } from '#test/ports/new-thread.ts';
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
      const first = { key, entries, state: head.state, at: NOW };
      const row = { pk: { S: key.session }, sk: { S: 'session' } };
      await client.send(
        new TransactWriteItemsCommand({
          TransactItems: [
            await firstAppend({ dynamodb: client, logTable, content }, first, randomUUID()),
            { Put: { TableName: recordsTable, Item: row } },
          ],
        }),
      );
      return head;
    },
    async row(key: typeof KEY) {
      const row = { pk: { S: key.session }, sk: { S: isPrimary(key) ? 'session' : `thread#${key.thread}` } };
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

  /** Begins two threads, and appends once to three logs under one name. */
  async function reporting() {
    const under = await start();
    const created = await under.create(KEY, [CREATED]);
    const [child, begun] = [newThread(KEY), newThread(KEY)];
    const { head } = await under.log.append(appendOf(KEY, created, [saying('a')]), child);
    const name = randomUUID();
    const { client, logTable, recordsTable } = under;
    const tables = { dynamodb: client, logTable, recordsTable, content: contentInMemory(), newName: () => name };
    const own = { position: FIRST_POSITION, state: child.state };
    const keys = [KEY, child.key, begun.key];
    return {
      ...under,
      child,
      /** A new process: what the last one knew is lost. */
      append: () =>
        createSessionLog(tables).append(
          appendOf(KEY, head, [saying('b')]),
          appendOf(child.key, own, [saying('c')]),
          begun,
        ),
      heads: () => Promise.all(keys.map((key) => under.log.lastPosition(key))),
    };
  }

  /** The next transaction is cut off before, or after, DynamoDB makes it; a token of its own hides the repeat. */
  function cutOff({ middlewareStack }: DynamoDBClient, when: 'before' | 'after') {
    middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          if (commandName !== 'TransactWriteItemsCommand') return next(args);
          middlewareStack.remove('cut');
          if (when === 'after')
            await next({ ...args, input: { ...args.input, ClientRequestToken: randomUUID() } as never });
          throw new Error('the connection was cut off');
        },
      { step: 'initialize', name: 'cut' },
    );
  }

  it.each([
    { when: 'before' as const, left: [2, 1, null] },
    { when: 'after' as const, left: [3, 2, 1] },
  ])('appends to several logs all or nothing, when it is cut off $when the write, and a repeat once', async (given) => {
    const under = await reporting();
    cutOff(under.client, given.when);
    await expect(under.append()).rejects.toMatchObject({ code: 'log_unavailable', retryable: true });
    expect(await under.heads()).toEqual(given.left);
    expect(await under.append()).toMatchObject({ status: 'appended', head: { position: 3 } });
    expect(await under.heads()).toEqual([3, 2, 1]);
    await under.close();
  });

  it('recognises its appends to several logs after each of them went on', async () => {
    const under = await reporting();
    cutOff(under.client, 'after');
    await under.append().catch(() => undefined);
    for (const key of [KEY, under.child.key]) {
      const head = await under.log.head(key);
      await under.log.append(appendOf(key, head ?? expect.fail('no log'), [saying('later', 'sevt_later')]));
    }
    expect(await under.append()).toMatchObject({ status: 'appended', head: { position: 3 } });
    expect(await under.heads()).toEqual([4, 3, 1]);
    await under.close();
  });

  it('writes to no log when the content of one is not stored', async () => {
    const under = await start();
    const created = await under.create(KEY, [CREATED]);
    const content = { ...contentInMemory(), put: () => Promise.reject(new Fault('content_unavailable', 'away')) };
    const { client: dynamodb, logTable, recordsTable } = under;
    const log = createSessionLog({ dynamodb, logTable, recordsTable, content, newName: randomUUID });
    const begun = newThread(KEY, { entries: [saying('x'.repeat(300_000))] });
    const appending = log.append(appendOf(KEY, created, [saying('a')]), begun);
    await expect(appending).rejects.toMatchObject({ code: 'content_unavailable' });
    expect([await under.log.lastPosition(KEY), await under.log.lastPosition(begun.key)]).toEqual([1, null]);
    await under.close();
  });

  it('costs one plain write when it is to one log and changes no row', async () => {
    const under = await start();
    const created = await under.create(KEY, [CREATED]);
    const child = newThread(KEY);
    const { head } = await under.log.append(appendOf(KEY, created, [saying('a')]), child);
    const commands: string[] = [];
    under.client.middlewareStack.add(
      (next, { commandName = '' }) => {
        commands.push(commandName);
        return next;
      },
      { step: 'initialize' },
    );
    await under.log.append(appendOf(KEY, head, [saying('b')]));
    await under.log.append(appendOf(child.key, { position: FIRST_POSITION, state: child.state }, [saying('c')]));
    expect(commands).toEqual(['PutItemCommand', 'PutItemCommand']);
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
