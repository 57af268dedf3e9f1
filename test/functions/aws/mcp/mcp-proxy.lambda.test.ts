import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { EventId, VaultId, CredentialId, WorkspaceId } from '#contract/ids.ts';
import { createMcpProxy } from '#aws/mcp/mcp-proxy.lambda.ts';
import { KEY } from '#test/functions/core/given.ts';
import { LISTING } from '#test/functions/core/served.ts';

interface Reply {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body: unknown;
}

let server: Server | null = null;
const close = () => {
  server?.closeAllConnections();
  server?.close();
};
afterEach(() => {
  vi.useRealTimers();
  close();
});

const FAILED: Reply = { headers: { 'x-amz-function-error': 'Unhandled' }, body: { errorMessage: 'a secret' } };

/** A Lambda endpoint that gives these replies in turn and repeats the last one. null ends the connection. */
async function proxyAnswering(replies: readonly (Reply | null)[], passing = async () => {}) {
  const asked: { path: string; type: unknown; body: unknown }[] = [];
  const lambda = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body: unknown = JSON.parse(Buffer.concat(chunks).toString());
      const reply = replies[Math.min(asked.length, replies.length - 1)];
      asked.push({ path: request.url ?? '', type: request.headers['x-amz-invocation-type'], body });
      if (reply === undefined || reply === null) return void response.destroy();
      response.writeHead(reply.status ?? 200, reply.headers);
      response.end(JSON.stringify(reply.body));
    });
  });
  server = lambda;
  await new Promise<void>((resolve) => void lambda.listen(0, '127.0.0.1', resolve));
  const environment = {
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'AKIA',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_ENDPOINT_URL_LAMBDA: `http://127.0.0.1:${(lambda.address() as AddressInfo).port}`,
  };
  const paused: number[] = [];
  const pause = async (ms: number) => {
    paused.push(ms);
    await passing();
  };
  return { proxy: createMcpProxy(environment, { functionName: 'McpProxy', pause }), asked, paused };
}

const CALL = { id: EventId.parse('sevt_1'), server: 'tracker', tool: 'find', input: { id: '1' } };
const PLACE = {
  workspace: WorkspaceId.parse('wrkspc_1'),
  vault: VaultId.parse('vlt_1'),
  credential: CredentialId.parse('vcrd_1'),
};

describe('the client of the MCP proxy', () => {
  it('invokes the proxy with ids alone and waits for the answer', async () => {
    const { proxy, asked } = await proxyAnswering([{ body: { servers: [LISTING] } }]);
    expect(await proxy.list({ ...KEY })).toEqual([LISTING]);
    expect(asked).toEqual([
      {
        path: '/2015-03-31/functions/McpProxy/invocations',
        type: 'RequestResponse',
        body: { do: 'list', session: KEY.session, thread: KEY.thread },
      },
    ]);
  });

  it('returns the verdicts on calls', async () => {
    const verdicts = [{ id: CALL.id, decision: 'deny', reason: 'No.' }];
    const { proxy, asked } = await proxyAnswering([{ body: { verdicts } }]);
    expect(await proxy.judge(KEY, [CALL])).toEqual(verdicts);
    expect(asked[0]?.body).toEqual({ do: 'judge', ...KEY, calls: [CALL] });
  });

  it('reports a credential that does not exist', async () => {
    const { proxy, asked } = await proxyAnswering([{ body: null }]);
    expect(await proxy.validate(PLACE)).toBeNull();
    expect(asked[0]?.body).toEqual({ do: 'validate', ...PLACE });
  });

  it.each<[string, Reply | null]>([
    ['fails', FAILED],
    ['may not be invoked', { status: 403, body: { message: 'no' } }],
    ['answers something else', { body: { servers: [{ status: 'maybe' }] } }],
    ['hangs up', null],
  ])('throws mcp_proxy_unavailable when the proxy %s', async (_what, reply) => {
    const { proxy } = await proxyAnswering([reply]);
    await expect(proxy.list(KEY)).rejects.toMatchObject({
      code: 'mcp_proxy_unavailable',
      message: expect.not.stringContaining('secret'),
    });
  });
});

describe('the client of an MCP proxy that failed once', () => {
  const listed = { body: { servers: [LISTING] } };
  const verdicts = [{ id: CALL.id, decision: 'allow', reason: '' }];

  it.each<[string, Reply | null]>([
    ['died', FAILED],
    ['was throttled', { status: 429, body: {} }],
    ['met a failure of Lambda', { status: 503, body: {} }],
    ['was cut off', null],
  ])('repeats the same request when the proxy %s', async (_what, reply) => {
    const listing = await proxyAnswering([reply, reply, reply, listed]);
    expect(await listing.proxy.list(KEY)).toEqual([LISTING]);
    expect(listing.asked).toHaveLength(4);
    expect(new Set(listing.asked.map((one) => JSON.stringify(one)))).toHaveLength(1);
    close();
    const judging = await proxyAnswering([reply, { body: { verdicts } }]);
    expect(await judging.proxy.judge(KEY, [CALL])).toEqual(verdicts);
    expect(judging.asked).toHaveLength(2);
  });

  it('waits longer before each repeat, and gives up after three', async () => {
    const { proxy, asked, paused } = await proxyAnswering([FAILED]);
    await expect(proxy.judge(KEY, [CALL])).rejects.toMatchObject({ code: 'mcp_proxy_unavailable' });
    expect(asked).toHaveLength(4);
    const [first = 0, second = 0, third = 0] = paused;
    expect(paused).toHaveLength(3);
    expect(first).toBeGreaterThanOrEqual(50);
    expect(second).toBeGreaterThan(first);
    expect(third).toBeGreaterThan(second);
    expect(first + second + third, 'a turn waits for all of them').toBeLessThan(2500);
  });

  it.each<[string, Reply]>([
    ['may not be invoked', { status: 403, body: {} }],
    ['is not there', { status: 404, body: {} }],
    ['was asked too much at once', { status: 413, body: {} }],
    ['answers something else', { body: { servers: [{ status: 'maybe' }] } }],
  ])('does not repeat a request when the proxy %s', async (_what, reply) => {
    const { proxy, asked, paused } = await proxyAnswering([reply, listed]);
    await expect(proxy.list(KEY)).rejects.toMatchObject({ code: 'mcp_proxy_unavailable' });
    expect([asked.length, paused.length]).toEqual([1, 0]);
  });

  it('does not wait longer than the time of the first attempt', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    // A verdict has ten seconds.
    const { proxy, asked } = await proxyAnswering([FAILED], async () => void vi.advanceTimersByTime(9900));
    await expect(proxy.judge(KEY, [CALL])).rejects.toMatchObject({ code: 'mcp_proxy_unavailable' });
    expect(asked).toHaveLength(2);
  });
});
