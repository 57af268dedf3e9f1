import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPreviews } from '#aws/session/previews.dynamodb.ts';
import { MAX_CHUNK_FRAMES, MAX_FRAME_CHARS } from '#core/previews/preview.ts';
import { KEY, NOW } from '#test/functions/core/given.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';
import { chunk, previewsSuite } from '#test/ports/previews.suite.ts';

let db: TestDynamoDb;
beforeAll(async () => {
  db = await startDynamoDb();
});
afterAll(async () => db.close());

previewsSuite('in DynamoDB', () => createPreviews(db.client, db.previewsTable));

describe('the table of previews', () => {
  const pk = { S: `${KEY.session}/${KEY.thread}` };
  const { request } = chunk(1, '');

  it('gets an expiry with every item, minutes after its use', async () => {
    const previews = createPreviews(db.client, db.previewsTable);
    await previews.subscribe(KEY, NOW);
    await previews.write(KEY, chunk(1, 'text'));
    for (const sk of ['subscriber', `${request}#000001`]) {
      const Key = { pk, sk: { S: sk } };
      const { Item } = await db.client.send(new GetItemCommand({ TableName: db.previewsTable, Key }));
      expect(Number(Item?.['expiresAt']?.N) - Date.parse(NOW) / 1000).toBe(300);
    }
  });

  it('takes the largest chunk that is written', async () => {
    const previews = createPreviews(db.client, db.previewsTable);
    const [frame] = chunk(1, '\u0001'.repeat(MAX_FRAME_CHARS)).frames;
    const largest = { ...chunk(2, ''), frames: Array.from({ length: MAX_CHUNK_FRAMES }, () => frame ?? expect.fail()) };
    expect(JSON.stringify(largest).length).toBeLessThan(200_000);
    await previews.write(KEY, largest);
    expect(await previews.read(KEY, request, 1)).toEqual([largest]);
  });

  it('is reported without quoting when it holds something else', async () => {
    const Item = { pk, sk: { S: `${request}#000003` }, at: { S: NOW }, frames: { S: '[{"type":"canary"}]' } };
    await db.client.send(new PutItemCommand({ TableName: db.previewsTable, Item }));
    const error = await createPreviews(db.client, db.previewsTable)
      .read(KEY, request, 2)
      .catch((fault: unknown) => fault);
    expect(error).toMatchObject({ code: 'stored_data_invalid' });
    expect(String(error)).not.toContain('canary');
  });

  it('is not waited for when it does not answer', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const client = new DynamoDBClient({
      endpoint: `http://127.0.0.1:${port}`,
      region: 'us-east-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    });
    const previews = createPreviews(client, 'previews');
    const asked = [
      previews.subscribe(KEY, NOW),
      previews.isSubscribed(KEY, NOW),
      previews.write(KEY, chunk(1, 'x')),
      previews.read(KEY, request, 0),
    ];
    for (const one of asked) await expect(one).rejects.toMatchObject({ code: 'previews_unavailable' });
    silent.close();
    silent.closeAllConnections();
    client.destroy();
  });
});
