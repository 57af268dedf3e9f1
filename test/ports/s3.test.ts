/** What a bucket's client does with a server that fails: which requests it repeats, and which it does not. */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createBucket } from '#aws/s3.ts';

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** Answers the requests one after the other; the last answer is for all further ones. */
async function bucketAt(...answers: readonly [RequestListener, ...RequestListener[]]) {
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    const answer = answers[Math.min(bodies.length, answers.length - 1)] ?? answers[0];
    const body = await request.setEncoding('utf8').toArray();
    bodies.push(body.join(''));
    answer(request, response);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  ends.push(() => server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  const env = {
    ...{ AWS_REGION: 'eu-central-1', AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` },
    ...{ AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' },
  };
  return { bodies, bucket: createBucket(env, 'bucket', { timeoutMs: 2000 }) };
}

const status =
  (code: number): RequestListener =>
  (_request, response) =>
    void response.writeHead(code).end(String(code));
const breaks: RequestListener = (request) => void request.socket.destroy();
const saysNothing: RequestListener = () => undefined;
const put = { method: 'PUT', body: 'text' } as const;

describe('a request to a bucket', () => {
  it('is repeated when S3 fails, is busy or breaks the connection', async () => {
    const { bodies, bucket } = await bucketAt(status(503), status(429), breaks, status(200));
    expect(await (await bucket.request('key', put)).text()).toBe('200');
    expect(bodies).toEqual(['text', 'text', 'text', 'text']);
  });

  it('is given up after four tries', async () => {
    const { bodies, bucket } = await bucketAt(status(500));
    await expect(bucket.request('key', put)).rejects.toMatchObject({ code: 'content_unavailable', cause: 500 });
    expect(bodies).toHaveLength(4);
  });

  it('is not repeated when S3 refuses it', async () => {
    const { bodies, bucket } = await bucketAt(status(403));
    await expect(bucket.request('key', put)).rejects.toMatchObject({ code: 'content_unavailable', cause: 403 });
    expect((await bucket.ask('key', put)).status).toBe(403);
    expect(bodies).toHaveLength(2);
  });

  it('is not repeated when its body was a stream', async () => {
    const { bodies, bucket } = await bucketAt(status(503));
    const body = new Blob(['stream']).stream();
    const headers = { 'content-length': '6' };
    await expect(bucket.request('key', { ...put, body, headers })).rejects.toMatchObject({ cause: 503 });
    expect(bodies).toEqual(['stream']);
  });

  it('is not repeated when no answer came in time', async () => {
    const { bodies, bucket } = await bucketAt(saysNothing);
    await expect(bucket.request('key', put)).rejects.toMatchObject({ cause: { name: 'TimeoutError' } });
    expect(bodies).toHaveLength(1);
  });
});
