/**
 * Random interleavings of attempts at one call, its user, and changes of policy and token, in which each attempt may
 * die at any port call. In every case the server makes the call at most once, no request is sent without an intent in
 * the audit trail, a call that was made is never reported as unsent, and the audit trail ends with an outcome.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WaitingCall } from '#core/ports/connection-records.ts';
import { makeCall } from '#core/mcp/make-call.ts';
import type { McpCalled, McpFailure } from '#core/ports/mcp-client.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import { change } from '#core/session/change.ts';
import type { Command } from '#core/session/commands.ts';
import { KEY } from '#test/functions/core/given.ts';
import { ALLOW, ANSWER, failure, proxyStage } from '#test/functions/core/mcp/proxy-stage.ts';
import { ALWAYS_THE_SAME, propertyRuns } from '#test/property-runs.ts';

class Killed extends Error {}

const REPLIES = {
  consent: failure({ kind: 'authentication' }),
  page: {
    status: 'input_required',
    requests: [{ id: 'pay', url: 'https://pay.example.com/', message: '' }],
    state: null,
  },
  answer: ANSWER,
} as const satisfies Record<string, McpCalled | McpFailure>;

const GONE = { status: 'needs_reauth', retryAfterMs: null, detail: 'as.example.com' } as const;
/** The results of a call that was not made. */
const NOT_MADE = /^(denied|rate_limited|authentication|declined): |was not executed/;

function theatre(scheduler: fc.Scheduler, replies: readonly (keyof typeof REPLIES)[]) {
  const stage = proxyStage();
  const coming = [...replies];
  const timeline: ('intent' | 'outcome' | 'sent' | 'carried out')[] = [];
  const links: WaitingCall[] = [];
  const now = { permits: true, hasToken: true };
  const attempts: Promise<void>[] = [];

  /**
   * Each port call waits until the scheduler lets it run. An attempt without lives throws at this and every later call.
   */
  function mortal(life: number) {
    let left = life === 0 ? Number.POSITIVE_INFINITY : life;
    return async <Value>(work: () => Promise<Value>): Promise<Value> => {
      await scheduler.schedule(Promise.resolve());
      if (left <= 0) throw new Killed();
      left -= 1;
      const value = await work();
      if (left <= 0) throw new Killed();
      return value;
    };
  }

  function worldOf(act: ReturnType<typeof mortal>): McpProxyWorld {
    const { world, marks } = stage;
    return {
      ...world,
      log: {
        ...world.log,
        head: (key) => act(() => world.log.head(key)),
        append: (append) => act(() => world.log.append(append)),
      },
      policies: {
        ...world.policies,
        decide: () => act(async () => (now.permits ? ALLOW : { ...ALLOW, decision: 'deny', code: 'forbidden' })),
      },
      tokens: {
        ...world.tokens,
        bearer: (match, signal) => act(async () => (now.hasToken ? world.tokens.bearer(match, signal) : GONE)),
      },
      links: {
        offer: (offer) =>
          act(async () => {
            links.push(offer.resume);
            return world.links.offer(offer);
          }),
      },
      marks: {
        find: (call) => act(() => marks.find(call)),
        start: (...args) => act(() => marks.start(...args)),
        end: (...args) => act(() => marks.end(...args)),
        suspend: (...args) => act(() => marks.suspend(...args)),
        done: (call) => act(() => marks.done(call)),
      },
      mcpClient: {
        ...world.mcpClient,
        callTool: () =>
          act(async () => {
            const reply = coming.shift() ?? 'answer';
            timeline.push('sent', ...(reply === 'answer' ? (['carried out'] as const) : []));
            return REPLIES[reply];
          }),
      },
      audit: {
        record: (workspace, about, entry) =>
          act(async () => {
            if ('call' in entry) timeline.push(entry.kind);
            return world.audit.record(workspace, about, entry);
          }),
      },
      async pause(ms) {
        await scheduler.schedule(Promise.resolve());
        stage.stamp.advance(ms);
      },
    };
  }

  async function attempt(life: number): Promise<void> {
    await makeCall(worldOf(mortal(life)), stage.request, stage.until).catch((error: unknown) => {
      if (!(error instanceof Killed)) throw error;
    });
  }

  /** Attempts that were begun run on. */
  async function pass(steps: number): Promise<void> {
    for (let step = 0; step < steps; step += 1) await scheduler.schedule(Promise.resolve());
  }

  /** A command that is refused or has no effect is accepted here. */
  async function tell(command: Command): Promise<void> {
    await scheduler.schedule(Promise.resolve());
    const head = await stage.log.head(KEY);
    if (head !== null) await change({ log: stage.log, stamp: stage.stamp }, KEY, head, command);
  }

  const call = stage.open.id;
  const acts = {
    attempt: (life: number) => void attempts.push(attempt(life)),
    /** Any link that was made, because the page, the API and sweep may all use it. */
    connect: (which: number) => tell({ do: 'resume', ...(links[which % Math.max(1, links.length)] ?? { call }) }),
    decline: (which: number) =>
      tell({
        do: 'decline',
        reason: 'No.',
        call,
        sincePosition: links[which % Math.max(1, links.length)]?.sincePosition ?? null,
      }),
    confirm: (result: 'allow' | 'deny') =>
      tell({ do: 'send', events: [{ type: 'user.tool_confirmation', tool_use_id: call, result }] }),
    interrupt: () => tell({ do: 'send', events: [{ type: 'user.interrupt' }] }),
    rest: () => tell({ do: 'await action' }),
    change: (permits: boolean, hasToken: boolean) => void Object.assign(now, { permits, hasToken }),
  };
  return { stage, acts, timeline, attempts, attempt, pass };
}

type Act =
  | { readonly do: 'attempt'; readonly life: number }
  | { readonly do: 'connect' | 'decline'; readonly which: number }
  | { readonly do: 'allow' | 'deny' | 'interrupt' | 'rest' }
  | { readonly do: 'change'; readonly permits: boolean; readonly hasToken: boolean };

const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('attempt' as const),
      life: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 14 })),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('connect' as const, 'decline' as const), which: fc.nat(3) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('allow', 'deny', 'interrupt', 'rest' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('change' as const), permits: fc.boolean(), hasToken: fc.boolean() }),
  },
);

type Theatre = ReturnType<typeof theatre>;

async function perform({ acts }: Theatre, one: Act): Promise<void> {
  switch (one.do) {
    case 'attempt':
      return acts.attempt(one.life);
    case 'connect':
    case 'decline':
      return acts[one.do](one.which);
    case 'allow':
    case 'deny':
      return acts.confirm(one.do);
    case 'interrupt':
    case 'rest':
      return acts[one.do]();
    case 'change':
      return acts.change(one.permits, one.hasToken);
    default:
      return one satisfies never;
  }
}

/** `isTwofold`: two attempts may have run at the same time. */
function expectSound({ stage, timeline }: Theatre, isTwofold: boolean): void {
  const count = (what: (typeof timeline)[number], until = timeline.length) =>
    timeline.slice(0, until).filter((one) => one === what).length;
  expect(count('carried out')).toBeLessThanOrEqual(1);
  for (const [at, what] of timeline.entries()) {
    if (what === 'sent') expect(count('intent', at)).toBeGreaterThan(count('sent', at));
  }
  const [result, ...others] = stage.results();
  expect(others).toEqual([]);
  const text = result?.content[0]?.type === 'text' ? result.content[0].text : '';
  if (count('carried out') > 0) expect(text).not.toMatch(NOT_MADE);
  // An outcome "unknown" stays true when an attempt sends the call a moment later and dies.
  const isUnknown = stage.outcomes().some(({ outcome }) => outcome === 'unknown');
  if (!isUnknown && count('sent') > 0) {
    expect(timeline.lastIndexOf('outcome')).toBeGreaterThan(timeline.lastIndexOf('sent'));
  }
  // An attempt that begins after another one has ended the call may record an intent, and then sends nothing.
  if (!isTwofold && count('intent') > 0) expect(timeline.at(-1)).toBe('outcome');
}

describe('any interleaving of attempts at one MCP call with its user, policy changes and token loss', () => {
  it('makes the call at most once, reports no less than is known, and records an outcome', async () => {
    const happened = new Set<string>();
    const property = fc.asyncProperty(
      fc.scheduler(),
      fc.array(fc.record({ one: act, after: fc.nat(12) }), { minLength: 1, maxLength: 8 }),
      fc.array(fc.constantFrom('consent', 'page', 'answer' as const), { maxLength: 3 }),
      fc.boolean(),
      async (scheduler, acts, replies, isTwofold) => {
        const played = theatre(scheduler, replies);
        for (const { one, after } of acts) {
          // Steps that were begun run on beside the next one.
          if (!isTwofold && one.do === 'attempt') await scheduler.waitFor(Promise.all(played.attempts));
          await scheduler.waitFor(played.pass(after));
          await scheduler.waitFor(perform(played, one));
        }
        await scheduler.waitFor(Promise.all(played.attempts));
        played.acts.change(true, true);
        for (let left = 1; left > 0;) {
          await scheduler.waitFor(played.attempt(0));
          await scheduler.waitFor(played.acts.confirm('allow'));
          left = (await played.stage.state()).calls.length;
        }
        await scheduler.waitFor(played.attempt(0));
        expectSound(played, isTwofold);
        for (const { outcome } of played.stage.outcomes()) happened.add(outcome);
      },
    );
    await fc.assert(property, { ...ALWAYS_THE_SAME, numRuns: 200 });
    expect([...happened].toSorted()).toEqual(['denied', 'done', 'failed', 'suspended', 'unknown']);
    await fc.assert(property, { numRuns: propertyRuns(2000) });
  });
});
