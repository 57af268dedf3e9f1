import { expect, it, onTestFinished } from 'vitest';
import { McpProxyRequest } from '#contract/mcp-proxy.ts';
import { EventId, FIRST_POSITION, SessionId } from '#contract/ids.ts';
import { makeCall } from '#core/mcp/make-call.ts';
import { startFx } from '#test/mcp/fx.ts';
import { fxSession } from '#test/mcp/proxy-sessions.ts';

it('scenario 45: the same call requested twice, at once or later, reaches the server once', async () => {
  const fx = await startFx();
  onTestFinished(fx.close);
  const session = fxSession(fx);

  await Promise.all([session.call(), session.call()]);
  await session.call();

  expect(fx.calls('sum')).toHaveLength(1);
  expect(session.results()).toHaveLength(1);
});

it('scenario 45: a request cannot change a call’s arguments, user or credentials', () => {
  const { request } = fxSession({ url: 'https://fx.example.com/mcp' });
  expect(McpProxyRequest.safeParse(request).success).toBe(true);
  for (const more of [{ input: {} }, { user: 'bob' }, { vault_ids: ['vlt_bob'] }, { server: 'https://evil.example' }]) {
    expect(McpProxyRequest.safeParse({ ...request, ...more }).success).toBe(false);
  }
});

it('scenario 45: a call is made in its own session only, as its log says', async () => {
  const fx = await startFx();
  onTestFinished(fx.close);
  const session = fxSession(fx);
  const elsewhere = { ...session.request, session: SessionId.parse('sesn_2') };
  await makeCall(session.world, elsewhere, session.until);
  const another = { ...session.request, call: { ...session.request.call, id: EventId.parse('sevt_other') } };
  await makeCall(session.world, another, session.until);
  const misplaced = { ...session.request, call: { ...session.request.call, position: FIRST_POSITION } };
  await expect(makeCall(session.world, misplaced, session.until)).rejects.toMatchObject({
    code: 'stored_data_invalid',
  });

  expect(fx.requests).toEqual([]);
  expect(session.audited).toEqual([]);
});
