import { expect, it, onTestFinished } from 'vitest';
import { bearer, callOf, clientForTests, ON, targetOf } from '#test/mcp/client.ts';
import { startFx } from '#test/mcp/fx.ts';

const SUM = { status: 'answered', isError: false, content: [{ type: 'text', text: '3' }] };
const VERSION = 'io.modelcontextprotocol/protocolVersion';

it('scenario 8: an older server is initialized, then called with its version and the user’s token', async () => {
  const fx = await startFx({ era: 'legacy', tokens: { 'alices-t0ken': [] } });
  onTestFinished(fx.close);
  const target = targetOf(fx.url, { bearer: bearer('alices-t0ken') });

  expect(await clientForTests().callTool(target, callOf('sum', { a: 1, b: 2 }), ON)).toEqual(SUM);

  const [, ...spoken] = fx.requests.filter(({ method }) => method === 'POST');
  expect(spoken.map(({ rpc }) => rpc?.method)).toEqual(['initialize', 'notifications/initialized', 'tools/call']);
  const initialized = spoken[0]?.rpc?.params?.['protocolVersion'];
  expect(fx.calls()[0]?.headers).toMatchObject({
    authorization: 'Bearer alices-t0ken',
    'mcp-protocol-version': initialized,
  });
  expect(fx.requests.every(({ headers }) => headers['authorization'] === 'Bearer alices-t0ken')).toBe(true);
});

it('scenario 8: a newer server gets the call in one request with headers that describe it', async () => {
  const fx = await startFx({ era: 'modern', tokens: { 'alices-t0ken': [] } });
  onTestFinished(fx.close);
  const client = clientForTests();
  const target = targetOf(fx.url, { bearer: bearer('alices-t0ken') });
  await client.listTools(target, ON);
  const before = fx.requests.length;

  expect(await client.callTool(target, callOf('sum', { a: 1, b: 2 }), ON)).toEqual(SUM);

  expect(fx.requests.slice(before)).toHaveLength(1);
  const [call] = fx.calls();
  const { _meta: meta } = (call?.rpc?.params ?? {}) as { readonly _meta?: Readonly<Record<string, unknown>> };
  expect(call?.headers).toMatchObject({
    authorization: 'Bearer alices-t0ken',
    'mcp-method': 'tools/call',
    'mcp-name': 'sum',
    'mcp-protocol-version': meta?.[VERSION],
  });
});
