/** A change that happens while a customer's hook runs takes effect before the call is sent. */
import { describe, expect, it, vi } from 'vitest';
import { makeCall } from '#core/mcp/make-call.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import {
  ALICE,
  ALLOW,
  ANSWER,
  credentialIn,
  holding,
  memoryCredentials,
  NO_HOOKS,
  proxyStage,
  vaultOf,
  type Holding,
  type ProxyStage,
  type StageOptions,
} from '#test/functions/core/mcp/proxy-stage.ts';

const OK = { status: 'answered', answer: { code: 'OK' } } as const;

/**
 * A call during which, while its hook runs, `happens` is executed. From then on vaults and policies answer as `then`
 * says.
 */
async function during(
  happens: (stage: ProxyStage) => Promise<unknown>,
  then: Partial<McpProxyWorld> = {},
  options: StageOptions = {},
) {
  const stage = proxyStage(options);
  const world: McpProxyWorld = { ...stage.world, ...NO_HOOKS };
  const before = async () => {
    Object.assign(world, then);
    await happens(stage);
    return OK;
  };
  Object.assign(world, { hooks: { ...NO_HOOKS, before } });
  await makeCall(world, stage.request, stage.until);
  return stage;
}

const nothing = async () => {};
const { promise: never } = Promise.withResolvers<void>();
const holds = (holdings: readonly Holding[]) => ({ credentials: memoryCredentials(holdings) });

describe('when, during a hook before an MCP call,', () => {
  const archived = { vault: vaultOf('alice', 'alice', '2026-11-21T00:00:00.000Z'), stored: ALICE.stored };

  it.each([
    ['its credential is archived', [{ vault: ALICE.vault, stored: [] }]],
    ['its vault is archived', [archived]],
    ['its vault changes to another user', [{ vault: vaultOf('alice', 'bob'), stored: ALICE.stored }]],
    ['another credential takes the place of its own', [{ ...ALICE, stored: holding('other', 'alice').stored }]],
  ])('%s, the call is denied, and nothing reaches the server', async (_what, holdings) => {
    const stage = await during(nothing, holds(holdings));
    expect(stage.calls).toEqual([]);
    expect(stage.results()).toMatchObject([
      { is_error: true, content: [{ text: expect.stringMatching(/^denied: /) }] },
    ]);
    expect(stage.audited).toMatchObject([
      { kind: 'intent', decision: 'deny', code: 'credential_changed' },
      { kind: 'outcome', outcome: 'denied', error: 'credential_changed' },
    ]);
  });

  it('the session is interrupted, nothing reaches the server, and the audit trail stays empty', async () => {
    const stage = await during(async ({ when }) => when({ do: 'send', events: [{ type: 'user.interrupt' }] }));
    expect(stage.calls).toEqual([]);
    expect(stage.results()).toHaveLength(1);
    expect(stage.audited).toEqual([]);
    expect(stage.marks.all.get(stage.open.id)?.status).toBe('done');
  });

  it('the session is interrupted after an attempt died, the audit trail has the outcome of that attempt', async () => {
    const stage = await during(async ({ when, marks, open, world, request, until }) => {
      const dies = async () => Promise.reject(new Error('killed'));
      const dead = { mcpClient: { ...world.mcpClient, callTool: dies }, marks: { ...marks, end: dies } };
      const dying = makeCall({ ...world, ...dead }, request, until);
      await expect(dying).rejects.toThrow('killed');
      expect(marks.all.get(open.id)?.status).toBe('started');
      await when({ do: 'send', events: [{ type: 'user.interrupt' }] });
    });
    expect(stage.outcomes()).toMatchObject([{ outcome: 'unknown', error: 'attempt_died' }]);
  });

  it.each([
    ['denies it', { ...ALLOW, decision: 'deny', code: 'forbidden' }, 'forbidden'],
    ['wants a person to confirm it', { ...ALLOW, decision: 'ask', code: 'asks' }, 'confirmation_missing'],
  ] as const)('policy changes to one that %s, the call is denied', async (_what, decision, code) => {
    const { policies } = proxyStage().world;
    const stage = await during(nothing, { policies: { ...policies, decide: async () => decision } });
    expect(stage.calls).toEqual([]);
    expect(stage.outcomes()).toMatchObject([{ outcome: 'denied', error: code }]);
  });

  it('the token is renewed, the call is made with the new one', async () => {
    const renewed = { ...credentialIn(ALICE.vault), version: 4 };
    const stage = await during(nothing, holds([{ vault: ALICE.vault, stored: [renewed] }]));
    expect(stage.outcomes()).toMatchObject([{ outcome: 'done', credential_version: 4 }]);
  });

  it('another attempt makes the call, a refusal by the hook does not report it as unsent', async () => {
    const stage = proxyStage();
    const { promise: isSent, resolve: sent } = Promise.withResolvers<void>();
    const { promise: reply, resolve: answers } = Promise.withResolvers<typeof ANSWER>();
    stage.replies[0] = () => {
      sent();
      return reply;
    };
    const others: Promise<void>[] = [];
    const before = async () => {
      others.push(makeCall({ ...stage.world, pause: () => never }, stage.request, stage.until));
      await isSent;
      return { status: 'answered', answer: { code: 'CHECK_FAILED' } } as const;
    };
    await makeCall({ ...stage.world, hooks: { ...NO_HOOKS, before } }, stage.request, stage.until);
    expect(stage.results()).toMatchObject([{ content: [{ text: expect.stringMatching(/^outcome_unknown: /) }] }]);
    answers(ANSWER);
    await Promise.all(others);
    expect(stage.calls).toHaveLength(1);
  });
});

describe('an MCP call without a hook', () => {
  it('reads neither the log nor the vaults twice before it is sent', async () => {
    const stage = proxyStage();
    const head = vi.spyOn(stage.world.log, 'head');
    const match = vi.spyOn(stage.world.credentials, 'match');
    const find = vi.spyOn(stage.world.marks, 'find');
    const seen: number[] = [];
    stage.replies[0] = async () => {
      seen.push(...[head, match, find].map(({ mock }) => mock.calls.length));
      return ANSWER;
    };
    // The check that the call is still wanted runs beside the call once a second. Here it never begins, so only the
    // call reads.
    await makeCall({ ...stage.world, pause: () => new Promise(() => undefined) }, stage.request, stage.until);
    expect(seen).toEqual([1, 1, 1]);
  });

  it('reads its mark while the vaults are read', async () => {
    const stage = proxyStage();
    const { promise: isLookedFor, resolve: lookedFor } = Promise.withResolvers<void>();
    const { marks, credentials } = stage.world;
    const world: McpProxyWorld = {
      ...stage.world,
      marks: {
        ...marks,
        find(call) {
          lookedFor();
          return marks.find(call);
        },
      },
      credentials: {
        async match(...args) {
          await isLookedFor;
          return credentials.match(...args);
        },
      },
    };
    await makeCall(world, stage.request, stage.until);
    expect(stage.calls).toHaveLength(1);
  });
});
