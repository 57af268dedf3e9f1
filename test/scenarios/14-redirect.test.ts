import { expect, it, onTestFinished } from 'vitest';
import { bearer, callOf, clientForTests, ON, targetOf } from '#test/mcp/client.ts';
import { startFx } from '#test/mcp/fx.ts';
import { listenHere } from '#test/mcp/listening.ts';
import { fxSession } from '#test/mcp/proxy-sessions.ts';

it.each([301, 302, 303, 307, 308])(
  'scenario 14: %i to another origin is refused, and the other host sees no connection',
  async (status) => {
    const [fx, evil] = await Promise.all([startFx(), listenHere((_incoming, outgoing) => void outgoing.end())]);
    onTestFinished(async () => void (await Promise.all([fx.close(), evil.close()])));
    const client = clientForTests();
    const target = targetOf(fx.url, { bearer: bearer('t0ken') });
    await client.listTools(target, ON);
    fx.intercept = () => new Response(null, { status, headers: { location: `${evil.origin}/mcp` } });

    const called = await client.callTool(target, callOf('sum', { a: 1, b: 2 }), ON);

    expect(called).toMatchObject({ status: 'failed', kind: 'blocked', method: 'tools/call', sent: false });
    expect(evil.connections()).toBe(0);
    expect(JSON.stringify(called)).not.toContain(evil.origin);
  },
);

it('scenario 14: a call that was redirected is reported to the client as a failed connection', async () => {
  const [fx, evil] = await Promise.all([startFx(), listenHere((_incoming, outgoing) => void outgoing.end())]);
  onTestFinished(async () => void (await Promise.all([fx.close(), evil.close()])));
  fx.intercept = () => new Response(null, { status: 307, headers: { location: `${evil.origin}/mcp` } });
  const session = fxSession(fx);

  await session.call();

  expect(session.errors()).toMatchObject([
    { error: { type: 'mcp_connection_failed_error', mcp_server_name: 'fx', retry_status: { type: 'retrying' } } },
  ]);
  expect(session.results()).toMatchObject([{ is_error: true }]);
  expect(evil.connections()).toBe(0);
});

it('scenario 14: a redirect within the server’s origin that keeps the method is followed', async () => {
  const fx = await startFx({ tokens: { t0ken: [] } });
  onTestFinished(fx.close);
  fx.intercept = ({ path }) => (path === '/mcp' ? Response.redirect(`${fx.origin}/mcp/here`, 307) : undefined);
  const target = targetOf(fx.url, { bearer: bearer('t0ken') });

  const called = await clientForTests().callTool(target, callOf('sum', { a: 1, b: 2 }), ON);

  expect(called).toMatchObject({ status: 'answered', content: [{ text: '3' }] });
});
