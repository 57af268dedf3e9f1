import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { EventId, VaultId, CredentialId, WorkspaceId } from '#contract/ids.ts';
import { createMcpProxy } from '#aws/mcp-proxy.lambda.ts';
import { KEY } from '#test/functions/core/given.ts';
import { LISTING } from '#test/functions/core/served.ts';

interface Reply {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body: unknown;
}

let server: Server | null = null;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** Lambda, as far as an invocation goes. */
async function proxyAnswering(reply: Reply) {
  const asked: { path: string; type: unknown; body: unknown }[] = [];
  const lambda = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body: unknown = JSON.parse(Buffer.concat(chunks).toString());
      asked.push({ path: request.url ?? '', type: request.headers['x-amz-invocation-type'], body });
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
  return { proxy: createMcpProxy(environment, 'McpProxy'), asked };
}

const CALL = { id: EventId.parse('sevt_1'), server: 'tracker', tool: 'find', input: { id: '1' } };
const PLACE = {
  workspace: WorkspaceId.parse('wrkspc_1'),
  vault: VaultId.parse('vlt_1'),
  credential: CredentialId.parse('vcrd_1'),
};

describe('the MCP proxy, asked', () => {
  it('is invoked and waited for, with ids alone', async () => {
    const { proxy, asked } = await proxyAnswering({ body: { servers: [LISTING] } });
    expect(await proxy.list({ ...KEY })).toEqual([LISTING]);
    expect(asked).toEqual([
      {
        path: '/2015-03-31/functions/McpProxy/invocations',
        type: 'RequestResponse',
        body: { do: 'list', session: KEY.session, thread: KEY.thread },
      },
    ]);
  });

  it('judges calls', async () => {
    const verdicts = [{ id: CALL.id, decision: 'deny', reason: 'No.' }];
    const { proxy, asked } = await proxyAnswering({ body: { verdicts } });
    expect(await proxy.judge(KEY, [CALL])).toEqual(verdicts);
    expect(asked[0]?.body).toEqual({ do: 'judge', ...KEY, calls: [CALL] });
  });

  it('tells of a credential that does not exist', async () => {
    const { proxy, asked } = await proxyAnswering({ body: null });
    expect(await proxy.validate(PLACE)).toBeNull();
    expect(asked[0]?.body).toEqual({ do: 'validate', ...PLACE });
  });

  it.each<[string, Reply]>([
    ['fails', { headers: { 'x-amz-function-error': 'Unhandled' }, body: { errorMessage: 'a secret' } }],
    ['may not be invoked', { status: 403, body: { message: 'no' } }],
    ['answers something else', { body: { servers: [{ status: 'maybe' }] } }],
  ])('is unavailable when it %s', async (_what, reply) => {
    const { proxy } = await proxyAnswering(reply);
    await expect(proxy.list(KEY)).rejects.toMatchObject({
      code: 'mcp_proxy_unavailable',
      message: expect.not.stringContaining('secret'),
    });
  });
});
