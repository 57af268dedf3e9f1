import { expect, it, onTestFinished } from 'vitest';
import { listServers } from '#core/mcp/list-servers.ts';
import { KEY } from '#test/functions/core/given.ts';
import { agentWith } from '#test/functions/core/mcp/proxy-stage.ts';
import { startFx } from '#test/mcp/fx.ts';
import { fxSession, userOf } from '#test/mcp/proxy-sessions.ts';

it('scenario 11: a server that refuses the token is named, the other one works, and it is tried again in the next run', async () => {
  const [x, y] = await Promise.all([startFx({ tokens: {} }), startFx()]);
  onTestFinished(async () => void (await Promise.all([x.close(), y.close()])));
  const [atX, atY] = [userOf(x, 'alice'), userOf(y, 'alice')];
  y.tokens = new Map([[atY.token, []]]);
  const holdings = [{ vault: atX.vault, stored: [...atX.stored, ...atY.stored] }];
  const agent = agentWith({ X: x.url, Y: y.url });
  const session = fxSession(x, { agent, holdings, links: 'none' });

  expect(await listServers(session.world, KEY, session.until)).toMatchObject([
    { status: 'failed', server: 'X', error: 'mcp_authentication_failed_error' },
    { status: 'listed', server: 'Y' },
  ]);
  await session.call();
  expect(session.results()).toMatchObject([{ is_error: true }]);
  expect(session.errors()).toMatchObject([
    {
      error: {
        type: 'mcp_authentication_failed_error',
        mcp_server_name: 'X',
        retry_status: { type: 'retrying' },
      },
    },
  ]);

  const other = fxSession(y, { agent: agentWith({ Y: y.url }), holdings });
  await other.call();
  expect(other.results()).toMatchObject([{ is_error: false, content: [{ text: '3' }] }]);

  x.tokens = new Map([[atX.token, []]]);
  expect(await listServers(session.world, KEY, session.until)).toMatchObject([{ status: 'listed', server: 'X' }, {}]);
});
