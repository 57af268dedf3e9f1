import { expect, it, onTestFinished } from 'vitest';
import { clientForTests } from '#test/mcp/client.ts';
import { startFx } from '#test/mcp/fx.ts';
import { fxSession, userOf } from '#test/mcp/proxy-sessions.ts';

const CALLS = 200;
const AT_ONCE = 20;

it.each(['legacy', 'modern'] as const)(
  'scenario 9: of 200 calls of two users on one instance, each reaches a %s server with its own user’s token',
  async (era) => {
    const fx = await startFx({ era });
    onTestFinished(fx.close);
    const users = [userOf(fx, 'alice'), userOf(fx, 'bob')] as const;
    fx.tokens = new Map(users.map(({ token }) => [token, []]));
    const client = clientForTests();

    for (let from = 0; from < CALLS; from += AT_ONCE) {
      const sessions = Array.from({ length: AT_ONCE }, (_item, index) => {
        const who = index % 2 === 0 ? 0 : 1;
        return fxSession(fx, { client, holdings: [users[who]], input: { a: who, b: from + index } });
      });
      await Promise.all(sessions.map((session) => session.call()));
      const users$ = sessions.flatMap((session) => session.outcomes().map(({ user, outcome }) => `${user} ${outcome}`));
      expect(users$).toEqual(sessions.map((_session, index) => (index % 2 === 0 ? 'alice done' : 'bob done')));
    }

    const onTheWire = fx.calls('sum').map(({ headers, rpc }) => {
      const { a: who } = (rpc?.params?.['arguments'] ?? {}) as { readonly a: 0 | 1 };
      return headers['authorization'] === `Bearer ${users[who].token}`;
    });
    expect(onTheWire).toEqual(Array.from({ length: CALLS }, () => true));
  },
);
