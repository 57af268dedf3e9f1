import { expect, it, onTestFinished } from 'vitest';
import { startFx } from '#test/mcp/fx.ts';
import { fxSession, userOf } from '#test/mcp/proxy-sessions.ts';

const INPUT = {
  a: 1,
  b: 2,
  vault_id: 'vlt_bob',
  user: 'bob',
  credential: 'vcrd_bob',
  Authorization: 'Bearer token-of-bob',
  _meta: { 'io.modelcontextprotocol/clientInfo': { name: 'bob' } },
  headers: { authorization: 'Bearer token-of-bob' },
};

it.each(['legacy', 'modern'] as const)(
  'scenario 12: users and vaults that the model names reach a %s server as arguments and have no other effect',
  async (era) => {
    const fx = await startFx({ era });
    onTestFinished(fx.close);
    const [alice, bob] = [userOf(fx, 'alice'), userOf(fx, 'bob')];
    fx.tokens = new Map([[alice.token, []]]);
    const session = fxSession(fx, { holdings: [alice], input: INPUT });

    await session.call();

    expect(session.outcomes()).toMatchObject([{ outcome: 'done', user: 'alice', vault: alice.vault.id }]);
    expect(fx.calls()).toHaveLength(1);
    const [call] = fx.calls();
    expect(call?.headers['authorization']).toBe(`Bearer ${alice.token}`);
    const { arguments: said, ...around } = call?.rpc?.params ?? {};
    expect(said).toEqual(INPUT);
    expect(JSON.stringify([call?.headers, around])).not.toContain('bob');
    expect(JSON.stringify(fx.requests)).not.toContain(bob.token);
  },
);
