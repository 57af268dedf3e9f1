import { expect, it, onTestFinished } from 'vitest';
import { carryBearer } from '#core/mcp/caller.ts';
import { connected, FOREVER, VAULT } from '#test/functions/core/vault/refresh.fixture.ts';
import { callOf, clientForTests, ON, targetOf } from '#test/mcp/client.ts';
import { FX_TOOLS } from '#test/mcp/fx-tools.ts';
import { startFx } from '#test/mcp/fx.ts';

it('scenario 24: a token with too few scopes is not refreshed, because a refresh cannot add scopes', async () => {
  const setup = await connected({ expiresInMs: 3_000_000 });
  const { first, row, server } = setup;
  const tools = FX_TOOLS.map((tool) => ({ ...tool, scope: 'files:write' }));
  const fx = await startFx({ tokens: { [first.access_token]: ['files:read'] }, tools });
  onTestFinished(fx.close);
  const carried = await carryBearer(
    setup,
    { match: { vault: VAULT, stored: await row() }, user: null, managed: null },
    FOREVER,
  );
  if (carried.status !== 'carried') return expect.fail(carried.detail);
  const target = targetOf(fx.url, { bearer: carried.bearer });
  expect(await clientForTests().callTool(target, callOf('sum', { a: 1, b: 2 }), ON)).toMatchObject({
    status: 'failed',
    kind: 'scope_required',
    scopes: ['files:write'],
  });
  expect(server.requests).toEqual([]);
  expect((await row()).version).toBe(1);
});
