import { describe, expect, it, onTestFinished } from 'vitest';
import { bearer, callOf, clientForTests, ON, targetOf } from '#test/mcp/client.ts';
import { startFx } from '#test/mcp/fx.ts';
import { startHostile, type Hostility } from '#test/mcp/hostile.ts';
import { listenHere } from '#test/mcp/listening.ts';

/** The deadline of a call that nothing else ends. */
const SHORT_MS = 1000;
/** The deadline of a call that must not need it, also on a busy machine; shorter than the other limits of a request. */
const LONG_MS = 50_000;

/** The end of a listing and of a call for each hostile answer. */
const ENDINGS: readonly (readonly [Hostility, list: string, call: string])[] = [
  ['endless pages', 'too_large', 'bad_answer'],
  ['too many tools', 'too_large', 'bad_answer'],
  ['a page of HTML', 'bad_answer', 'bad_answer'],
  ['gigabytes', 'too_large', 'too_large'],
  ['gigabytes of events', 'too_large', 'too_large'],
  ['a slow drip', 'timeout', 'timeout'],
  ['a slow drip of events', 'timeout', 'timeout'],
  ['silence', 'timeout', 'timeout'],
  ['a wrong id', 'bad_answer', 'bad_answer'],
  ['no JSON', 'bad_answer', 'bad_answer'],
  ['JSON of another kind', 'bad_answer', 'bad_answer'],
  ['garbage for events', 'bad_answer', 'bad_answer'],
  ['a redirect to another origin', 'blocked', 'blocked'],
  ['a broken connection', 'unreachable', 'unreachable'],
  ['headers without end', 'bad_answer', 'bad_answer'],
];

describe('an MCP server that answers with', () => {
  it.each(ENDINGS)('%s is a failure before the deadline', async (hostility, list, call) => {
    const evil = await listenHere((_incoming, outgoing) => void outgoing.end('caught'));
    onTestFinished(evil.close);
    const { url } = await startHostile(hostility, evil.origin);
    const client = clientForTests({ maxBytes: 3_000_000 });
    const deadlineMs = list === 'timeout' ? SHORT_MS : LONG_MS;
    const target = () => targetOf(url, { bearer: bearer('s3cr3t'), deadline: Date.now() + deadlineMs });
    const begun = Date.now();

    const failures = await Promise.all([
      client.listTools(target(), ON),
      client.callTool(target(), callOf('sum', { a: 1 }), ON),
    ]);

    expect(failures).toMatchObject([
      { status: 'failed', kind: list, method: 'tools/list' },
      { status: 'failed', kind: call, method: 'tools/call', sent: call !== 'blocked' },
    ]);
    expect(Date.now() - begun).toBeLessThan(LONG_MS);
    expect(evil.connections()).toBe(0);
    const told = failures.flatMap((failure) => (failure.status === 'failed' ? [failure.message, failure.detail] : []));
    // The client's error shows this text and says that the server is tried again.
    expect(told.join()).not.toContain('does not help');
    expect(told.join('\n')).not.toMatch(/Please log in|s3cr3t|127\.0\.0\.1:\d+\/mcp/);
  });

  it('gigabytes is cut off at the size limit', async () => {
    const { url } = await startHostile('gigabytes');
    const before = process.memoryUsage().rss;
    await clientForTests().callTool(targetOf(url), callOf('sum'), ON);
    expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
  });
});

describe('an MCP call that a known server of the newer revision refuses with', () => {
  /** The result of the call, how often the server got it, and the result of the next call. */
  async function refused(answer: (id: unknown) => Response) {
    const fx = await startFx({ era: 'modern' });
    onTestFinished(fx.close);
    const client = clientForTests();
    await client.listTools(targetOf(fx.url), ON);
    const known = fx.requests.length;
    let refusals = 0;
    fx.intercept = ({ rpc }) => (rpc?.method === 'tools/call' && refusals++ === 0 ? answer(rpc.id) : undefined);
    const call = () =>
      client.callTool(targetOf(fx.url), callOf('refund', { amount: 5 }, { schema: { type: 'object' } }), ON);
    const first = await call();
    const times = fx.calls().length;
    const next = await call();
    return { first, times, next, asked: fx.requests.slice(known).map(({ rpc }) => rpc?.method) };
  }
  const rpcError = (code: number, id: unknown) =>
    JSON.stringify({ jsonrpc: '2.0', id, error: { code, message: 'no' } });
  const DONE = { status: 'answered', content: [{ text: 'refunded 5' }] };

  it.each([
    ['HTTP 400 alone', 400, () => ''],
    ['HTTP 404 and a page', 404, () => '<html>not found</html>'],
    ['HTTP 400 and JSON of its own', 400, () => '{"detail":"the invoice is paid already"}'],
    ['HTTP 400 and an error of its own making', 400, (id: unknown) => rpcError(-32000, id)],
    ['HTTP 404 and an error in the middle of it', 404, (id: unknown) => rpcError(-32603, id)],
  ] as const)(
    '%s is not repeated, because it may have been made; the next call looks for the revision again',
    async (_what, status, body) => {
      const { first, times, next, asked } = await refused((id) => new Response(body(id), { status }));
      expect(times).toBe(1);
      expect(first).toMatchObject({ status: 'failed', method: 'tools/call', sent: true });
      expect(next).toMatchObject(DONE);
      expect(asked).toEqual(['tools/call', 'server/discover', 'tools/call']);
    },
  );

  it.each([
    ['HTTP 405', 405, () => ''],
    ['HTTP 406', 406, () => ''],
    ['HTTP 415', 415, () => ''],
    ['a version that it does not speak', 400, (id: unknown) => rpcError(-32022, id)],
    ['a method that it does not know', 404, (id: unknown) => rpcError(-32601, id)],
    ['what no request was read from', 400, () => rpcError(-32000, null)],
    ['what it takes for no request', 400, () => rpcError(-32600, 'server-error')],
  ] as const)(
    '%s was not made, and is repeated in the revision that the server speaks now',
    async (_what, status, body) => {
      const { first, times } = await refused((id) => new Response(body(id), { status }));
      expect(times).toBe(2);
      expect(first).toMatchObject(DONE);
    },
  );

  it.each([
    ['arguments that are wrong', -32602],
    ['headers that say something else', -32020],
    ['something that this client cannot do', -32021],
  ] as const)('%s was not made and is not repeated', async (_what, code) => {
    const { first, times, asked } = await refused((id) => new Response(rpcError(code, id), { status: 400 }));
    expect(times).toBe(1);
    expect(first).toMatchObject({ status: 'failed', kind: 'bad_request', sent: false });
    expect(asked).toEqual(['tools/call', 'tools/call']);
  });
});
