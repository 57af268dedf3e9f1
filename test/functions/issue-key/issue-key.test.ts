import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { tellCloudFormation } from '#aws/tell-cloudformation.ts';
import { createApiKeys } from '#aws/records/api-keys.dynamodb.ts';
import { startDynamoDb, type TestDynamoDb } from '#test/ports/dynamodb.ts';
import { issueKey } from '../../../functions/issue-key/issue-key.ts';

const SECRET = 'the-first-key-of-all';

interface Put {
  readonly type: string | undefined;
  readonly body: Record<string, unknown>;
}

describe('the issue of the first API key', () => {
  let db: TestDynamoDb;
  let server: Server;
  let secret: () => Promise<string>;
  let status = 200;
  const puts: Put[] = [];

  beforeAll(async () => {
    db = await startDynamoDb();
    server = createServer(async (incoming, outgoing) => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
      puts.push({ type: incoming.headers['content-type'], body: JSON.parse(Buffer.concat(chunks).toString()) });
      outgoing.writeHead(status).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => {
    puts.length = 0;
    status = 200;
  });
  afterAll(async () => {
    server.close();
    await db.close();
  });

  async function ask(RequestType: string, fields: object = {}) {
    const ResponseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/answer?signature=s`;
    const world = {
      apiKeys: createApiKeys(db.client, db.recordsTable),
      newToken: () => '01abc',
      now: () => '2026-11-21T10:00:00.000Z',
      secret: () => secret(),
      tell: tellCloudFormation,
    };
    await issueKey(world, {
      RequestType,
      ResponseURL,
      StackId: 'stack',
      RequestId: 'request',
      LogicalResourceId: 'Issued',
      ...fields,
    });
    return puts.at(-1);
  }

  it('makes a key from the secret, and a repeat changes nothing', async () => {
    secret = () => Promise.resolve(SECRET);
    const first = await ask('Create');
    expect(first?.body).toEqual({
      Status: 'SUCCESS',
      PhysicalResourceId: 'first-api-key',
      StackId: 'stack',
      RequestId: 'request',
      LogicalResourceId: 'Issued',
    });
    await ask('Update', { PhysicalResourceId: 'first-api-key' });
    expect(await createApiKeys(db.client, db.recordsTable).find(SECRET)).toMatchObject({ workspace: 'wrkspc_default' });
  });

  it('reports a failure without the secret', async () => {
    secret = () => Promise.reject(new TypeError(`no ${SECRET}`));
    const failed = await ask('Create');
    expect(failed?.body).toMatchObject({ Status: 'FAILED', Reason: expect.stringMatching(/TypeError/) });
    expect(JSON.stringify(failed)).not.toContain(SECRET);
  });

  it('does nothing on Delete except to answer, under the physical id of the request', async () => {
    secret = () => Promise.reject(new Error('not to be asked'));
    expect((await ask('Delete', { PhysicalResourceId: 'other' }))?.body).toMatchObject({
      Status: 'SUCCESS',
      PhysicalResourceId: 'other',
    });
  });

  it('throws when CloudFormation does not take the answer, so that Lambda retries, and logs no signed URL', async () => {
    status = 500;
    await expect(ask('Delete')).rejects.toThrow(/answered 500/);
    await expect(ask('Delete')).rejects.not.toThrow(/signature/);
  });
});
