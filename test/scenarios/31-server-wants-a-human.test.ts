import { expect, it, onTestFinished } from 'vitest';
import { makeCall } from '#core/mcp/make-call.ts';
import { clientForTests, ON, targetOf } from '#test/mcp/client.ts';
import { ELICITATION } from '#test/mcp/fx-tools.ts';
import { startFx } from '#test/mcp/fx.ts';
import { fxSession } from '#test/mcp/proxy-sessions.ts';

it.each(['legacy', 'modern'] as const)(
  'scenario 31: the URL of a %s server is shown to people, the call waits, and is resumed as the server wants it',
  async (era) => {
    const fx = await startFx({ era });
    onTestFinished(fx.close);
    const client = clientForTests();
    // After this listing the client knows the server's revision, and begins with the call.
    await client.listTools(targetOf(fx.url), ON);
    const session = fxSession(fx, { tool: 'url_elicitation', input: {}, client });

    await session.call();
    expect(session.errors()).toMatchObject([{ error: { message: expect.stringContaining(ELICITATION.url) } }]);
    expect((await session.state()).calls).toMatchObject([{ waitsFor: 'confirmation', isSuspended: true }]);
    expect(session.outcomes()).toMatchObject([{ outcome: 'suspended' }]);

    fx.opened = true;
    await session.when({
      do: 'send',
      events: [{ type: 'user.tool_confirmation', tool_use_id: session.open.id, result: 'allow' }],
    });
    await session.call();
    expect(session.results()).toMatchObject([{ is_error: false, content: [{ text: 'paid' }] }]);
    expect(JSON.stringify(session.results())).not.toContain('pay.example.com');

    const [first, second] = fx.calls('url_elicitation');
    expect(second?.rpc?.id).toBeDefined();
    expect(second?.rpc?.id).not.toBe(first?.rpc?.id);
    if (era === 'modern') {
      expect(second?.rpc?.params).toMatchObject({ requestState: ELICITATION.state });
      expect(first?.rpc?.params).not.toHaveProperty('requestState');
    }
    // Every request went to the server itself: the service has not opened the URL for people.
    expect(fx.requests.every(({ path }) => path.startsWith('/mcp'))).toBe(true);
  },
);

it.each(['legacy', 'modern'] as const)(
  'scenario 31: a %s server gets the approval only after a person was asked, although an attempt died before asking',
  async (era) => {
    const fx = await startFx({ era });
    onTestFinished(fx.close);
    const client = clientForTests();
    await client.listTools(targetOf(fx.url), ON);
    const session = fxSession(fx, { tool: 'url_elicitation', input: {}, client });
    const dies = async () => Promise.reject(new Error('killed'));
    const dying = { ...session.world, log: { ...session.world.log, append: dies } };
    await expect(makeCall(dying, session.request, session.until)).rejects.toThrow('killed');

    await session.call();
    expect(fx.calls('url_elicitation')).toHaveLength(1);
    expect(session.errors()).toMatchObject([{ error: { message: expect.stringContaining(ELICITATION.url) } }]);
    expect((await session.state()).calls).toMatchObject([{ waitsFor: 'confirmation', isSuspended: true }]);

    fx.opened = true;
    await session.when({ do: 'resume', call: session.open.id });
    await session.call();
    expect(session.results()).toMatchObject([{ is_error: false, content: [{ text: 'paid' }] }]);
    expect(fx.calls('url_elicitation')).toHaveLength(2);
  },
);
