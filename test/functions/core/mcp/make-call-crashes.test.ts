/** An attempt dies at any of its effects: the server is asked at most once, and log and audit trail end in order. */
import { describe, expect, it } from 'vitest';
import { Fault } from '#core/ports/errors.ts';
import { makeCall } from '#core/mcp/make-call.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import { bucketOf } from '#core/ports/token-bucket.ts';
import { ALLOW, ANSWER, failure, proxyStage, type ProxyStage } from '#test/functions/core/mcp/proxy-stage.ts';

class Killed extends Error {}

const PAY = { id: 'pay', url: 'https://pay.example.com/', message: '' };

type Effect = 'intent' | 'mark' | 'call' | 'suspend' | 'append' | 'outcome' | 'done';
type Moment = 'before' | 'after';

const EFFECTS: readonly Effect[] = ['intent', 'mark', 'call', 'append', 'outcome', 'done'];
const DEATHS = EFFECTS.flatMap((effect) => (['before', 'after'] as const).map((moment) => ({ effect, moment })));

/** A port of a process that has died never answers again. */
function dying(stage: ProxyStage, effect: Effect, moment: Moment): McpProxyWorld {
  const { world } = stage;
  let isDead = false;
  const at =
    <Args extends readonly unknown[], Value>(own: Effect | null, work: (...args: Args) => Promise<Value>) =>
    async (...args: Args): Promise<Value> => {
      if (own === effect && moment === 'before') isDead = true;
      if (isDead) throw new Killed();
      const value = await work(...args);
      if (own === effect) isDead = true;
      if (isDead) throw new Killed();
      return value;
    };
  return {
    ...world,
    audit: {
      record: (workspace, about, entry) =>
        at('call' in entry ? entry.kind : null, world.audit.record)(workspace, about, entry),
    },
    marks: {
      find: at(null, world.marks.find),
      start: at('mark', world.marks.start),
      end: at(null, world.marks.end),
      suspend: at('suspend', world.marks.suspend),
      done: at('done', world.marks.done),
    },
    mcpClient: { ...world.mcpClient, callTool: at('call', world.mcpClient.callTool) },
    log: { ...world.log, append: at('append', world.log.append) },
  };
}

async function attempts(stage: ProxyStage, worlds: readonly McpProxyWorld[]): Promise<void> {
  for (const world of worlds) {
    await makeCall(world, stage.request, stage.until).catch((error: unknown) => {
      if (!(error instanceof Killed)) throw error;
    });
  }
}

describe('an MCP call with a process that is killed', () => {
  it.each(DEATHS)('$moment the $effect is completed by the next attempt', async ({ effect, moment }) => {
    const stage = proxyStage();
    await attempts(stage, [dying(stage, effect, moment), stage.world]);
    expect(stage.calls.length).toBeLessThanOrEqual(1);
    expect(stage.results()).toHaveLength(1);
    expect((await stage.state()).calls).toEqual([]);
    expect(stage.intents().length).toBeGreaterThanOrEqual(1);
    expect(stage.outcomes().length).toBeGreaterThanOrEqual(1);
    expect(stage.marks.all.get(stage.open.id)?.status).toBe('done');
  });

  it.each(DEATHS)('$moment the $effect is not reported as more certain than it is', async ({ effect, moment }) => {
    const stage = proxyStage();
    await attempts(stage, [dying(stage, effect, moment), stage.world]);
    const wasHeard = !stage.results()[0]?.is_error;
    const heard =
      effect === 'call' || (effect === 'mark' && moment === 'after') || (effect === 'append' && moment === 'before');
    expect(wasHeard).toBe(!heard);
    if (heard) {
      expect(JSON.stringify(stage.results())).toContain('may or may not have had an effect');
      expect(stage.outcomes().at(-1)).toMatchObject({ outcome: 'unknown' });
    }
  });

  it.each(DEATHS)('$moment the $effect, twice in a row, is made at most once', async ({ effect, moment }) => {
    const stage = proxyStage();
    await attempts(stage, [dying(stage, effect, moment), dying(stage, effect, moment), stage.world]);
    expect(stage.calls.length).toBeLessThanOrEqual(1);
    expect(stage.results()).toHaveLength(1);
  });

  it.each(DEATHS)('$moment the $effect has one outcome in the audit trail', async ({ effect, moment }) => {
    const stage = proxyStage();
    await attempts(stage, [dying(stage, effect, moment), stage.world]);
    expect(stage.outcomes()).toHaveLength(1);
  });

  it('is never sent without an intent in the audit trail', async () => {
    for (const { effect, moment } of DEATHS) {
      const stage = proxyStage();
      await attempts(stage, [dying(stage, effect, moment)]);
      if (stage.calls.length > 0) expect(stage.audited[0]).toMatchObject({ kind: 'intent' });
    }
  });
});

describe('an MCP call after an attempt ended with an error', () => {
  /** The port fails once, and the process lives. */
  function failing(stage: ProxyStage, effect: Effect, moment: Moment): McpProxyWorld {
    const dead = dying(stage, effect, moment);
    return { ...dead, marks: { ...dead.marks, end: stage.marks.end } };
  }
  /** Looks again only at what it waits for. */
  function watched({ world }: ProxyStage) {
    const looks = { marks: 0, trail: 0 };
    const { marks, auditedCalls } = world;
    const find: typeof marks.find = (...args) => {
      looks.marks += 1;
      return marks.find(...args);
    };
    const lastOf: typeof auditedCalls.lastOf = (...args) => {
      looks.trail += 1;
      return auditedCalls.lastOf(...args);
    };
    return { looks, world: { ...world, marks: { ...marks, find }, auditedCalls: { ...auditedCalls, lastOf } } };
  }

  it.each(DEATHS)('$moment the $effect does not wait for it', async ({ effect, moment }) => {
    const stage = proxyStage();
    const { looks, world } = watched(stage);
    await attempts(stage, [failing(stage, effect, moment), world]);
    expect(Math.max(looks.marks, looks.trail)).toBeLessThanOrEqual(1);
    expect(stage.calls.length).toBeLessThanOrEqual(1);
    expect(stage.results()).toHaveLength(1);
    expect(stage.outcomes()).toHaveLength(1);
    const isUnknown = JSON.stringify(stage.results()).includes('may or may not have had an effect');
    if (stage.calls.length === 1 && stage.results()[0]?.is_error === true) expect(isUnknown).toBe(true);
    expect(stage.marks.all.get(stage.open.id)?.status).toBe('done');
  });

  it('and cannot say so waits once, because the attempt may still be under way', async () => {
    const stage = proxyStage();
    const { looks, world } = watched(stage);
    const before = async () => ({ status: 'answered', answer: { code: 'OK' } }) as const;
    await attempts(stage, [dying(stage, 'call', 'after'), { ...world, hooks: { ...world.hooks, before } }]);
    expect(stage.outcomes()).toMatchObject([{ outcome: 'unknown' }]);
    // Once, although the mark is looked at again after a hook.
    expect(looks.marks).toBe(6);
  });

  it('does not end the mark of an attempt that goes on after a person has acted', async () => {
    const stage = proxyStage();
    stage.replies.splice(0, 1, { status: 'input_required', requests: [PAY], state: null }, ANSWER);
    const { promise: isLate, resolve: late } = Promise.withResolvers<void>();
    // The first attempt fails after the session was told, when the user has acted and the second attempt is under way.
    const record: McpProxyWorld['audit']['record'] = async (...args) => {
      if (args[2].kind !== 'outcome') return stage.world.audit.record(...args);
      await isLate;
      throw new Killed();
    };
    const slow = attempts(stage, [{ ...stage.world, audit: { record } }]);
    await expect.poll(() => stage.errors()).toHaveLength(1);
    await stage.when({ do: 'resume', call: stage.open.id });
    const callTool: McpProxyWorld['mcpClient']['callTool'] = async (...args) => {
      late();
      await slow;
      expect(stage.marks.all.get(stage.open.id)?.status).toBe('started');
      return stage.world.mcpClient.callTool(...args);
    };
    await attempts(stage, [{ ...stage.world, mcpClient: { ...stage.world.mcpClient, callTool } }]);
    expect(stage.results()).toMatchObject([{ is_error: false }]);
  });
});

describe('two concurrent attempts at an MCP call', () => {
  it('make it once, and the other one waits for the result', async () => {
    const stage = proxyStage();
    await Promise.all([attempts(stage, [stage.world]), attempts(stage, [stage.world])]);
    expect(stage.calls).toHaveLength(1);
    expect(stage.results()).toMatchObject([{ is_error: false }]);
  });

  it('suspend it once: the second attempt does not resume it in the user’s place', async () => {
    const stage = proxyStage();
    stage.replies[0] = { status: 'input_required', requests: [PAY], state: null };
    await Promise.all([attempts(stage, [stage.world]), attempts(stage, [stage.world])]);
    expect(stage.calls).toHaveLength(1);
    expect((await stage.state()).calls).toMatchObject([{ waitsFor: 'confirmation', isSuspended: true }]);
  });
});

describe('an MCP call after an attempt died before suspending it', () => {
  it.each(['before', 'after'] as const)(
    'ends or waits for its user, when it died %s the append to the session',
    async (moment) => {
      const stage = proxyStage();
      stage.replies[0] = failure({ kind: 'authentication' });
      await attempts(stage, [dying(stage, 'append', moment), stage.world]);
      const { calls } = await stage.state();
      expect(calls.every(({ waitsFor }) => waitsFor === 'confirmation')).toBe(true);
      expect(stage.results().length + calls.length).toBe(1);
    },
  );

  const SUSPENDED = [{ waitsFor: 'confirmation', isSuspended: true }];
  const asking = () => {
    const stage = proxyStage();
    stage.replies.splice(0, 1, { status: 'input_required', requests: [PAY], state: 'st4te' }, ANSWER);
    return stage;
  };

  it.each([
    ['after', 'suspend'],
    ['before', 'append'],
  ] as const)(
    'died %s the %s: the next attempt tells the client the URL, and only the user resumes the call',
    async (moment, effect) => {
      const stage = asking();
      await attempts(stage, [dying(stage, effect, moment)]);
      expect(stage.errors()).toEqual([]);
      await attempts(stage, [stage.world]);
      expect(stage.calls).toHaveLength(1);
      expect(stage.errors()).toMatchObject([{ error: { message: expect.stringContaining(PAY.url) } }]);
      expect((await stage.state()).calls).toMatchObject(SUSPENDED);
      expect(stage.outcomes()).toMatchObject([{ outcome: 'suspended', error: 'attempt_died' }]);
      await stage.when({ do: 'resume', call: stage.open.id });
      await attempts(stage, [stage.world]);
      expect(stage.calls[1]?.call.resume).toMatchObject({ requests: ['pay'], state: 'st4te' });
      expect(stage.results()).toMatchObject([{ is_error: false }]);
    },
  );

  it('tells the client the URL once, when the attempt that suspends it was only slow', async () => {
    const stage = asking();
    const { promise: isMarked, resolve: marked } = Promise.withResolvers<void>();
    const { promise: goesOn, resolve: goOn } = Promise.withResolvers<void>();
    const suspend = async (...args: Parameters<typeof stage.marks.suspend>) => {
      const isSuspended = await stage.marks.suspend(...args);
      marked();
      await goesOn;
      return isSuspended;
    };
    const slow = attempts(stage, [{ ...stage.world, marks: { ...stage.marks, suspend } }]);
    await isMarked;
    await attempts(stage, [stage.world]);
    await stage.when({ do: 'resume', call: stage.open.id });
    goOn();
    await slow;
    expect(stage.errors()).toHaveLength(1);
    expect((await stage.state()).calls).toMatchObject([{ waitsFor: 'hand' }]);
  });

  it('is suspended by a second attempt that read no mark and then came to send it', async () => {
    const stage = asking();
    const start = async (...args: Parameters<typeof stage.marks.start>) => {
      await attempts(stage, [dying(stage, 'suspend', 'after')]);
      return stage.marks.start(...args);
    };
    await attempts(stage, [{ ...stage.world, marks: { ...stage.marks, start } }]);
    expect(stage.calls).toHaveLength(1);
    expect((await stage.state()).calls).toMatchObject(SUSPENDED);
    expect(stage.marks.all.get(stage.open.id)?.status).toBe('suspended');
  });
});

describe('an MCP call after an attempt died that may have sent it', () => {
  const GONE = { status: 'unavailable', retryAfterMs: null, detail: 'as.example.com' } as const;
  const SPENT = { take: async () => ({ status: 'empty', untilUs: 0 }) as const };
  const CHANGES: readonly (readonly [what: string, world: (world: McpProxyWorld) => McpProxyWorld])[] = [
    [
      'policy denies it',
      (world) => ({ ...world, policies: { ...world.policies, decide: async () => ({ ...ALLOW, decision: 'deny' }) } }),
    ],
    ['its user has no calls left', (world) => ({ ...world, callRate: bucketOf(1), buckets: SPENT })],
    ['there is no token any more', (world) => ({ ...world, tokens: { ...world.tokens, bearer: async () => GONE } })],
  ];

  it.each(CHANGES)('is not reported as unsent by a second attempt that runs while %s', async (_what, changed) => {
    const stage = proxyStage();
    const world = changed(stage.world);
    const once = stage.world;
    /** The other attempt runs after this one has read the mark. */
    const meanwhile =
      <Args extends readonly unknown[], Value>(work: (...args: Args) => Promise<Value>) =>
      async (...args: Args): Promise<Value> => {
        await attempts(stage, [once]);
        return work(...args);
      };
    const slowly: McpProxyWorld = {
      ...world,
      policies:
        world.policies === once.policies
          ? once.policies
          : { ...world.policies, decide: meanwhile(world.policies.decide) },
      buckets: world.buckets === once.buckets ? once.buckets : { take: meanwhile(world.buckets.take) },
      tokens: world.tokens === once.tokens ? once.tokens : { ...world.tokens, bearer: meanwhile(world.tokens.bearer) },
    };
    await attempts(stage, [slowly]);
    expect(stage.calls).toHaveLength(1);
    expect(stage.results()).toMatchObject([{ is_error: false }]);
    expect(stage.outcomes()).toMatchObject([{ outcome: 'done' }]);
  });

  it.each(CHANGES)('is not reported as unsent, although %s on the second attempt', async (_what, changed) => {
    const stage = proxyStage();
    await attempts(stage, [dying(stage, 'call', 'after'), changed(stage.world)]);
    expect(stage.calls).toHaveLength(1);
    expect(JSON.stringify(stage.results())).toContain('may or may not have had an effect');
    expect(stage.outcomes()).toMatchObject([{ outcome: 'unknown', error: 'attempt_died' }]);
    expect(stage.marks.all.get(stage.open.id)?.status).toBe('done');
  });
});

describe('an audit trail that cannot be written', () => {
  const down = async () => Promise.reject(new Fault('audit_unavailable', 'the audit table did not answer'));

  it('scenario 42: stops every MCP call before it is sent, with a retryable fault', async () => {
    const stage = proxyStage();
    const world = { ...stage.world, audit: { record: down } };
    await expect(makeCall(world, stage.request, stage.until)).rejects.toMatchObject({
      code: 'audit_unavailable',
      retryable: true,
    });
    expect(stage.calls).toEqual([]);
    expect(stage.results()).toEqual([]);
    await makeCall(stage.world, stage.request, stage.until);
    expect(stage.results()).toMatchObject([{ is_error: false }]);
  });
});

describe('a vault that does not answer', () => {
  it('scenario 43: makes the call fail with an error that names neither a store nor a secret', async () => {
    const stage = proxyStage();
    const broken = async () => {
      throw new Fault('secret_unavailable', 'arn:aws:secretsmanager:eu-west-1:1:secret:x could not be read');
    };
    await makeCall({ ...stage.world, tokens: { bearer: broken, renew: broken } }, stage.request, stage.until);
    expect(stage.results()).toMatchObject([{ is_error: true }]);
    expect(JSON.stringify(stage.results())).toContain('authentication: ');
    expect(JSON.stringify([stage.entries(), stage.lines, stage.audited])).not.toContain('arn:');
    expect(stage.calls).toEqual([]);
  });
});

describe('an MCP call after an attempt died before it recorded the outcome', () => {
  const asking = (reply: ProxyStage['replies'][number]) => {
    const stage = proxyStage();
    stage.replies.splice(0, 1, reply);
    return stage;
  };
  const interrupt = { do: 'send', events: [{ type: 'user.interrupt' }] } as const;

  it.each([
    ['a consent', failure({ kind: 'authentication' })],
    ['its server’s page', { status: 'input_required', requests: [PAY], state: null }],
  ] as const)('gets the outcome from the next attempt when it waits for %s', async (_what, reply) => {
    const stage = asking(reply);
    await attempts(stage, [dying(stage, 'outcome', 'before'), stage.world, stage.world]);
    expect(stage.outcomes()).toMatchObject([{ outcome: 'suspended', error: 'attempt_died' }]);
    expect((await stage.state()).calls).toMatchObject([{ isSuspended: true }]);
    expect(stage.errors()).toHaveLength(1);
  });

  it('gets the outcome and is never sent when it was interrupted before', async () => {
    const stage = proxyStage();
    await attempts(stage, [dying(stage, 'intent', 'after')]);
    await stage.when(interrupt);
    await attempts(stage, [stage.world, stage.world]);
    expect(stage.outcomes()).toMatchObject([{ outcome: 'failed', error: 'attempt_died' }]);
    expect(stage.calls).toEqual([]);
  });

  it('gets no second outcome when the first attempt was only slow', async () => {
    const stage = proxyStage();
    const { promise: isLate, resolve: late } = Promise.withResolvers<void>();
    const record: McpProxyWorld['audit']['record'] = async (...args) => {
      if (args[2].kind === 'outcome') await isLate;
      return stage.world.audit.record(...args);
    };
    const slow = attempts(stage, [{ ...stage.world, audit: { record } }]);
    await expect.poll(() => stage.results()).toHaveLength(1);
    const pause = async () => {
      late();
      await slow;
    };
    await attempts(stage, [{ ...stage.world, pause }]);
    expect(stage.outcomes()).toMatchObject([{ outcome: 'done' }]);
  });
});

describe('an MCP call that waits for its user, because an attempt had no token', () => {
  const GONE = { status: 'needs_reauth', retryAfterMs: null, detail: 'as.example.com' } as const;
  const withoutToken = ({ world }: ProxyStage): McpProxyWorld => ({
    ...world,
    tokens: { ...world.tokens, bearer: async () => GONE },
  });
  /** An attempt that gets its token only after all that. */
  function slow(stage: ProxyStage, before: () => Promise<void>): McpProxyWorld {
    const { tokens } = stage.world;
    const bearer: typeof tokens.bearer = async (...args) => {
      await before();
      return tokens.bearer(...args);
    };
    // The watch of the log never looks again, so nothing but the mark can stop the attempt.
    return { ...stage.world, tokens: { ...tokens, bearer }, pause: () => new Promise(() => undefined) };
  }

  it('is not sent by an attempt that began before, when its user has declined it', async () => {
    const stage = proxyStage();
    const declined = async () => {
      await attempts(stage, [withoutToken(stage)]);
      const sincePosition = stage.offers[0]?.resume.sincePosition ?? null;
      await stage.when({ do: 'decline', reason: 'No.', call: stage.open.id, sincePosition });
    };
    await attempts(stage, [slow(stage, declined)]);
    expect(stage.calls).toEqual([]);
    expect(stage.results()).toMatchObject([{ content: [{ text: 'declined: No.' }] }]);
  });

  it.each<[string, (stage: ProxyStage) => McpProxyWorld, string]>([
    ['has made it', ({ world }) => world, '3'],
    ['died when it had sent it', (stage) => dying(stage, 'call', 'after'), 'may or may not have had an effect'],
  ])('does not wait when another attempt %s meanwhile', async (_what, other, text) => {
    const stage = proxyStage();
    const bearer = () => attempts(stage, [other(stage)]).then(() => GONE);
    await attempts(stage, [{ ...stage.world, tokens: { ...stage.world.tokens, bearer } }]);
    expect(stage.calls).toHaveLength(1);
    expect(stage.errors()).toEqual([]);
    expect(stage.results()).toMatchObject([{ content: [{ text: expect.stringContaining(text) }] }]);
  });

  it('goes on from where its server asked for a page, once it has a token again', async () => {
    const stage = proxyStage();
    stage.replies.splice(0, 1, { status: 'input_required', requests: [PAY], state: 'st4te' }, ANSWER);
    const resume = () => stage.when({ do: 'resume', call: stage.open.id });
    await attempts(stage, [stage.world]);
    await resume();
    await attempts(stage, [withoutToken(stage)]);
    await resume();
    await attempts(stage, [stage.world]);
    expect(stage.calls[1]?.call.resume).toMatchObject({ requests: ['pay'], state: 'st4te' });
    expect(stage.results()).toMatchObject([{ is_error: false }]);
  });

  it.each(['before', 'after'] as const)('is told of by the next attempt when one died %s its mark', async (moment) => {
    const stage = proxyStage();
    await attempts(stage, [{ ...withoutToken(stage), marks: dying(stage, 'suspend', moment).marks }]);
    expect(stage.errors()).toEqual([]);
    await attempts(stage, [withoutToken(stage)]);
    expect(stage.errors()).toHaveLength(1);
    expect((await stage.state()).calls).toMatchObject([{ waitsFor: 'confirmation', isSuspended: true }]);
    expect(stage.calls).toEqual([]);
  });
});

describe('an MCP call that is interrupted before it is sent', () => {
  it('is not sent, although its token was being renewed at that moment', async () => {
    const stage = proxyStage();
    const { tokens } = stage.world;
    const moment = () => new Promise<void>((resolve) => setImmediate(resolve));
    const bearer: typeof tokens.bearer = async (match, signal) => {
      await stage.when({ do: 'send', events: [{ type: 'user.interrupt' }] });
      for (let moments = 0; moments < 3; moments += 1) await moment();
      return tokens.bearer(match, signal);
    };
    await attempts(stage, [{ ...stage.world, pause: moment, tokens: { ...tokens, bearer } }]);
    expect(stage.calls).toEqual([]);
    expect(stage.results()).toHaveLength(1);
    expect(stage.outcomes()).toMatchObject([{ outcome: 'failed', error: 'interrupted' }]);
    expect(stage.marks.all.get(stage.open.id)?.status).toBe('done');
  });
});
