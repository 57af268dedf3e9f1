import { expect, it, onTestFinished } from 'vitest';
import { Fault } from '#core/ports/errors.ts';
import { makeCall } from '#core/mcp/make-call.ts';
import { startFx } from '#test/mcp/fx.ts';
import { fxSession } from '#test/mcp/proxy-sessions.ts';

it('scenario 42: while the audit trail cannot be written no request reaches the server, and the call is repeated', async () => {
  const fx = await startFx();
  onTestFinished(fx.close);
  const session = fxSession(fx);
  const record = async () => Promise.reject(new Fault('audit_unavailable', 'the audit table did not answer'));

  const denied = makeCall({ ...session.world, audit: { record } }, session.request, session.until);
  await expect(denied).rejects.toMatchObject({ code: 'audit_unavailable', retryable: true });
  expect(fx.requests).toEqual([]);
  expect(session.results()).toEqual([]);

  await session.call();
  expect(session.results()).toMatchObject([{ is_error: false }]);
  expect(fx.calls('sum')).toHaveLength(1);
});
