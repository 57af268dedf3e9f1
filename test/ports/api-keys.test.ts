import { randomUUID } from 'node:crypto';
import { DeleteItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiKeyId, WorkspaceId } from '#contract/ids.ts';
import { createApiKeys } from '#aws/records/api-keys.dynamodb.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';

const apiKey = (id: string) => ({
  id: ApiKeyId.parse(`apikey_${id}`),
  workspace: WorkspaceId.parse('wrkspc_1'),
  createdAt: '2026-11-21T10:00:00.000Z',
});

describe('the store of API keys', () => {
  let db: TestDynamoDb;
  beforeAll(async () => {
    db = await startDynamoDb();
  });
  afterAll(() => db.close());

  const under = (nowMs: () => number = () => 0) => createApiKeys(db.client, db.recordsTable, nowMs);

  async function forgetAll() {
    const { Items } = await db.client.send(new ScanCommand({ TableName: db.recordsTable }));
    for (const { pk, sk } of Items ?? []) {
      if (pk !== undefined && sk !== undefined) {
        await db.client.send(new DeleteItemCommand({ TableName: db.recordsTable, Key: { pk, sk } }));
      }
    }
  }

  it('finds a key by its secret, and nothing for an unknown secret', async () => {
    const secret = randomUUID();
    await under().issue(secret, apiKey('1'));
    expect(await under().find(secret)).toEqual(apiKey('1'));
    expect(await under().find(`${secret}x`)).toBeNull();
  });

  it('keeps what the first issue stored when the issue is repeated', async () => {
    const secret = randomUUID();
    await under().issue(secret, apiKey('1'));
    expect(await under().issue(secret, apiKey('2'))).toEqual(apiKey('1'));
    expect(await under().find(secret)).toEqual(apiKey('1'));
  });

  it('caches a key for at most a minute after it is removed', async () => {
    let now = 0;
    const secret = randomUUID();
    const apiKeys = under(() => now);
    await apiKeys.issue(secret, apiKey('1'));
    await apiKeys.find(secret);
    await forgetAll();
    now = 59_999;
    expect(await apiKeys.find(secret)).toEqual(apiKey('1'));
    now = 60_000;
    expect(await apiKeys.find(secret)).toBeNull();
  });

  it('looks an unknown key up again', async () => {
    const secret = randomUUID();
    const apiKeys = under();
    expect(await apiKeys.find(secret)).toBeNull();
    await apiKeys.issue(secret, apiKey('1'));
    expect(await apiKeys.find(secret)).toEqual(apiKey('1'));
  });
});
