/**
 * Random interleavings of clients, executions and hands over one log, in which each of them may die at any port call.
 * In every case the log has no gap and no repeat, every message is taken, every call has one result, and every command
 * runs at most once.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventId, Position } from '#contract/ids.ts';
import type { AssignedCall, HandOutcome, RunState } from '#contract/run.ts';
import type { Entry, OpenCall } from '#contract/entries.ts';
import type { EventInput, SessionEvent } from '#contract/events.ts';
import { execute, type ExecuteWorld } from '#core/hands/execute.ts';
import { harvestTurn } from '#core/hands/harvest.ts';
import { buildMessages } from '#core/harness/context.ts';
import { createHistory } from '#core/harness/history.ts';
import type { TurnWorld } from '#core/harness/turn-world.ts';
import { takeTurn } from '#core/harness/take-turn.ts';
import type { ModelRequest } from '#core/ports/model.ts';
import type { SessionLog } from '#core/ports/session-log.ts';
import { Fault } from '#core/ports/errors.ts';
import { fold } from '#core/session/evolve.ts';
import { repair } from '#core/session/repair.ts';
import { change } from '#core/session/change.ts';
import type { Command } from '#core/session/commands.ts';
import { endWait, send } from '#core/session/send.ts';
import { blockedCalls } from '#core/session/waiting.ts';
import {
  HANDS,
  FULL,
  KEY,
  NO_MCP,
  SANDBOX,
  SILENT,
  answer,
  createdWith,
  outline,
  says,
  steadyStamp,
  toolUse,
  NO_CONTENTS,
  NO_SOURCES,
  NO_FILES,
  NO_OUTPUTS,
  NO_TEAM,
} from '#test/functions/core/given.ts';
import { judged, LISTING, TROUBLE } from '#test/functions/core/served.ts';
import { TOOLED } from '#test/functions/core/stage.ts';
import { memoryPreviews } from '#test/ports/previews.memory.ts';
import { memoryLog } from '#test/ports/session-log.memory.ts';
import { ALWAYS_THE_SAME, propertyRuns } from '#test/property-runs.ts';

/** The error of a dead process at its next port call. */
class Killed extends Error {}

/** How often an actor may call a port before it dies; 0 never dies. */
type Life = number;

const BEGINNING: readonly Entry[] = [createdWith(TOOLED)];

function theatre(scheduler: fc.Scheduler) {
  const log = memoryLog();
  log.create(KEY, fold(null, BEGINNING), BEGINNING);
  const stamp = steadyStamp();
  /** Calls that the sandbox has seen: it runs the first of an id and replays the rest (test/sandbox-task). */
  const ran = new Set<EventId>();
  const started = new Map<number, 'running' | 'closed'>();
  const executions: Promise<void>[] = [];
  let lives: Life[] = [];

  /** MCP calls that were suspended until a person opens a page. */
  const sentToPage = new Set<EventId>();
  /** The links to those pages, used or not. A link that is opened later resumes the same wait again. */
  const links: { readonly call: EventId; readonly sincePosition: Position }[] = [];

  /**
   * Each port call waits until the scheduler lets it run. An actor without lives throws at this and every later call.
   */
  function mortal(life: Life) {
    let left = life === 0 ? Number.POSITIVE_INFINITY : life;
    return async function act<Value>(work: () => Promise<Value>): Promise<Value> {
      await scheduler.schedule(Promise.resolve());
      if (left <= 0) throw new Killed();
      left -= 1;
      const value = await work();
      // Dying after the effect and before its answer is the case that idempotency is for.
      if (left <= 0) throw new Killed();
      return value;
    };
  }

  type Act = ReturnType<typeof mortal>;
  const logFor = (act: Act): SessionLog => ({
    head: (key) => act(() => log.head(key)),
    read: (key, from) => act(() => log.read(key, from)),
    slice: (key, from) => act(() => log.slice(key, from)),
    append: (append) => act(() => log.append(append)),
    entryAt: (key, position) => act(() => log.entryAt(key, position)),
  });

  function turnWorld(act: Act): TurnWorld {
    const port = logFor(act);
    return {
      log: port,
      history: createHistory(port),
      attachedFiles: NO_FILES,
      ...NO_OUTPUTS,
      ...NO_TEAM,
      hands: HANDS,
      model: {
        ask: (request, _listener, signal) =>
          act(async () => {
            if (signal.aborted) throw new Fault('model_unreachable', 'cut off');
            return scripted(request);
          }),
      },
      warming: { warm: async () => undefined },
      sha256: NO_MCP.sha256,
      mcp: { list: () => act(async () => [LISTING]), judge: (_key, calls) => act(async () => judged(calls)) },
      previews: memoryPreviews(),
      stamp,
      pause: waiting,
      journal: SILENT,
    };
  }

  /** After every second call of the sandbox programs go on, until there is another call. */
  const leaving = () => (ran.size % 2 === 1 ? { programsLive: true as const } : {});

  function executeWorld(act: Act): ExecuteWorld {
    return {
      log: logFor(act),
      sandboxes: {
        find: async () => SANDBOX,
        ofSession: async () => [],
        reserve: async () => SANDBOX,
        watch: async () => SANDBOX,
        ready: async () => SANDBOX,
        lost: async () => undefined,
        told: async () => undefined,
        failed: async () => SANDBOX,
        sentTo: async () => null,
        send: (_hand, _call, generation) => act(async () => ({ record: SANDBOX, sentTo: generation, again: false })),
      },
      sandboxClient: {
        execute: (_place, call) =>
          act(async () => {
            // The sandbox server's own rules: a call it has seen is joined or replayed, and others come in order.
            const id = call.call as EventId;
            const missing = (call.after ?? []).filter((earlier) => !ran.has(earlier as EventId));
            if (missing.length > 0 && !ran.has(id)) return { status: 'awaits calls', missing } as const;
            const served = ran.has(id) ? ('replayed' as const) : ('ran' as const);
            ran.add(id);
            const response = { output: 'ok', isError: false, served, durationMs: 1, ...leaving() };
            return { status: 'answered', response } as const;
          }),
        ...NO_CONTENTS,
        changes: () => act(async () => ({ changes: [], notes: [], ...leaving() })),
        cancel: () => undefined,
      },
      ...NO_SOURCES,
      stamp,
      pause: waiting,
      journal: SILENT,
    };
  }

  /** As in the MCP proxy, every second call needs a person first, who is asked once. */
  async function callServer(act: Act, call: AssignedCall): Promise<void> {
    const log = logFor(act);
    const head = await log.head(KEY);
    const open = head?.state.calls.find(({ id, waitsFor }) => id === call.id && waitsFor === 'hand');
    if (head === null || open === undefined) return;
    const needsPage = call.position % 2 === 0 && !sentToPage.has(call.id);
    const command: Command = needsPage
      ? { do: 'suspend', call: call.id, sincePosition: open.sincePosition, error: TROUBLE }
      : { do: 'result', call: call.id, content: [{ type: 'text', text: 'found' }], isError: false };
    const changed = await change({ log, stamp }, KEY, head, command);
    if (needsPage && changed.status === 'changed') {
      sentToPage.add(call.id);
      links.push({ call: call.id, sincePosition: open.sincePosition });
    }
  }

  /** While one actor waits, time passes for all. */
  async function waiting(ms: number): Promise<void> {
    await scheduler.schedule(Promise.resolve());
    stamp.advance(ms);
  }

  const life = () => lives.shift() ?? 0;

  /** As in Step Functions, an invocation that dies is repeated a few times, and then the execution fails. */
  async function persistently<Value>(work: (act: Act) => Promise<Value>): Promise<Value> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await work(mortal(life()));
      } catch (error) {
        if (!(error instanceof Killed) || attempt === 3) throw error;
      }
    }
  }

  async function runExecution(input: RunState): Promise<void> {
    for (let state = input; ;) {
      const turn = await persistently((act) => takeTurn(turnWorld(act), state, new AbortController().signal));
      if (turn.turn?.do === 'idle' || turn.turn === undefined) return;
      if (turn.turn.do === 'long') return void (await start(turn.run));
      const hands = turn.turn.do === 'tools' ? await Promise.all(turn.turn.calls.map(useHand)) : [];
      if (turn.turn.do === 'harvest') await harvestFor(turn.turn.since);
      state = { ...turn, hands };
    }
  }

  /** One that fails is left to the next turn. */
  async function harvestFor(since: Position | undefined): Promise<void> {
    if (since === undefined) throw new TypeError('a harvest has the position of its end');
    const input = { ...KEY, harvest: 'turn', since } as const;
    await persistently((act) => harvestTurn(executeWorld(act), input)).catch(() => undefined);
  }

  async function useHand(call: AssignedCall): Promise<HandOutcome> {
    const made = { id: call.id, sincePosition: call.sincePosition };
    try {
      await persistently<unknown>((act) =>
        call.function === HANDS.mcp.function
          ? callServer(act, call)
          : execute(executeWorld(act), { ...KEY, call, sandbox: { generation: 1 } }),
      );
      return made;
    } catch {
      return { ...made, error: 'Lambda.Unknown' };
    }
  }

  async function start(run: number): Promise<'started' | 'taken'> {
    const known = started.get(run);
    if (known !== undefined) return known === 'running' ? 'started' : 'taken';
    started.set(run, 'running');
    const ending = runExecution({ ...KEY, run }).catch(() => undefined);
    executions.push(ending.then(() => void started.set(run, 'closed')));
    return 'started';
  }

  async function tell(events: readonly EventInput[]): Promise<boolean> {
    const head = await mortal(0)(() => log.head(KEY));
    if (head === null) return false;
    const runs = { start: (_key: unknown, run: number) => start(run) };
    const sent = await send({ log: logFor(mortal(0)), runs, stamp }, { key: KEY, head, cause: 'req_1' }, events);
    return sent.status === 'accepted';
  }

  /** A person who acts at the page resumes the call, or makes the session list its tools again. */
  async function openPage(call: EventId | null): Promise<void> {
    const runs = { start: (_key: unknown, run: number) => start(run) };
    await endWait({ log: logFor(mortal(0)), runs, stamp }, { key: KEY, cause: 'connect_1' }, { do: 'resume', call });
  }

  /** A link is opened after its user has declined, or a second time after they approved. */
  async function lookAt(which: number, isDeclined: boolean): Promise<void> {
    for (let turns = 0; links.length <= which && turns < 60; turns += 1) await scheduler.schedule(Promise.resolve());
    const link = links[which % Math.max(1, links.length)];
    if (link === undefined) return;
    const ports = { log: logFor(mortal(0)), runs: { start: (_key: unknown, run: number) => start(run) }, stamp };
    const to = { key: KEY, cause: 'connect_1' };
    await endWait(ports, to, isDeclined ? { do: 'decline', ...link, reason: 'No.' } : { do: 'resume', ...link });
  }

  /** Answers what waits for people and clients, one request each. An answer to a closed call is refused. */
  async function answerAll(allow: boolean): Promise<number> {
    const head = await log.head(KEY);
    const blocked = head === null ? [] : blockedCalls(head.state);
    await Promise.all(
      blocked.map((call) => (call.isSuspended && allow ? openPage(call.id) : tell([answerTo(call, allow)]))),
    );
    return blocked.length;
  }

  return {
    log,
    ran,
    tell,
    answerAll,
    openPage,
    lookAt,
    status: async () => (await log.head(KEY))?.state.status,
    setLives: (given: Life[]) => {
      lives = given;
    },
    /** Starts a second execution for a run that has one, as would happen without idempotent names. */
    double: (run: number) => void executions.push(runExecution({ ...KEY, run }).catch(() => undefined)),
    async settle() {
      for (let seen = -1; seen !== executions.length;) {
        seen = executions.length;
        await scheduler.waitFor(Promise.all(executions));
      }
    },
    sweep: () => scheduler.waitFor(repair({ log, runs: { start: (_key, run) => start(run) }, stamp }, KEY)),
  };
}

function answerTo({ id, waitsFor }: OpenCall, allow: boolean): EventInput {
  if (waitsFor === 'client') return { type: 'user.custom_tool_result', custom_tool_use_id: id };
  return { type: 'user.tool_confirmation', tool_use_id: id, result: allow ? 'allow' : 'deny' };
}

/** Calls tools for a message that asks for them, and otherwise answers. */
function scripted(request: ModelRequest) {
  const last = request.messages.at(-1)?.content ?? [];
  if (last.some((block) => String(block['text']).includes('Write it now'))) return answer();
  // Full from the second message on, so that a session of a few messages is summarised again and again.
  const usage = request.messages.length > 1 ? FULL : answer().usage;
  const wants = (what: string) =>
    last.some((block) => block.type === 'text' && String(block['text']).startsWith(`use ${what}`));
  const suffix = request.messages.length;
  const calling = (...names: readonly string[]) =>
    answer({ usage, stopReason: 'tool_use', blocks: names.map((name, at) => toolUse(`toolu_${at}_${suffix}`, name)) });
  if (wants('hands')) return calling('bash', 'bash');
  if (wants('people')) return calling('read', 'bash', 'weather');
  if (wants('servers')) return calling('mcp__tracker__find', 'mcp__tracker__drop', 'mcp__tracker__find');
  return answer({ usage });
}

function expectSound(entries: readonly Entry[], sent: number, ran: ReadonlySet<EventId>): void {
  const events = entries.flatMap((entry) => ('event' in entry ? [entry.event] : []));
  const uses = events.flatMap((event) =>
    event.type === 'agent.tool_use' || event.type === 'agent.mcp_tool_use' || event.type === 'agent.custom_tool_use'
      ? [event.id]
      : [],
  );
  const results = events.flatMap((event) => {
    if (event.type === 'agent.tool_result') return [event.tool_use_id];
    if (event.type === 'agent.mcp_tool_result') return [event.mcp_tool_use_id];
    return event.type === 'user.custom_tool_result' ? [event.custom_tool_use_id] : [];
  });
  const accepted = events.flatMap((event) =>
    event.type === 'user.message' && event.processed_at === null ? [event.id] : [],
  );
  const taken = events.flatMap((event) =>
    event.type === 'user.message' && event.processed_at !== null ? [event.id] : [],
  );
  const starts = events.filter((event) => event.type === 'span.model_request_start').map((event) => event.id);
  const ends = events.flatMap((event) =>
    event.type === 'span.model_request_end' ? [event.model_request_start_id] : [],
  );

  expect(fold(null, entries).state).toMatchObject({ status: 'idle', calls: [], queued: [], request: null });
  expect(results.toSorted()).toEqual(uses.toSorted());
  expect(accepted).toHaveLength(sent);
  expect(taken.toSorted()).toEqual(accepted.toSorted());
  expect(ends.toSorted()).toEqual(starts.toSorted());
  expect([...ran].every((id) => uses.some((use) => use === id))).toBe(true);
  expect([...ran].filter((id, at) => [...ran].slice(0, at).some((other) => isBefore(events, id, other)))).toEqual([]);
  // Every answer, result and message makes a conversation that the provider accepts.
  expect(() => buildMessages(entries)).not.toThrow();
  const statuses = outline(entries).filter((type) => type.startsWith('session.status_'));
  expect(statuses.at(-1) ?? 'session.status_idle').toBe('session.status_idle');
}

/** Whether both calls are of one answer and the first was written before the second. */
function isBefore(events: readonly SessionEvent[], first: EventId, second: EventId): boolean {
  const from = events.findIndex(({ id }) => id === first);
  const answer = events.slice(from).findIndex(({ type }) => type === 'span.model_request_end');
  return events.slice(from + 1, from + answer).some(({ id }) => id === second);
}

type Act =
  | { readonly do: 'say'; readonly text: string; readonly interrupting: boolean }
  | { readonly do: 'interrupt' }
  | { readonly do: 'answer'; readonly allow: boolean }
  | { readonly do: 'connect' }
  | { readonly do: 'look'; readonly which: number; readonly isDeclined: boolean };

const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('say' as const),
      text: fc.constantFrom('hello', 'use hands', 'use people', 'use servers'),
      interrupting: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('interrupt' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('answer' as const), allow: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('connect' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('look' as const), which: fc.nat(2), isDeclined: fc.boolean() }),
  },
);

const INTERRUPT: EventInput = { type: 'user.interrupt' };

/** Most actors never die; the others die within the calls that a turn makes. */
const life = fc.oneof(
  { weight: 2, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 9 }) },
);

describe('any interleaving of clients, executions and hands', () => {
  it('takes every message once and ends every call once, at whatever point processes die', async () => {
    const happened = new Set<string>();
    const property = fc.asyncProperty(
      fc.scheduler(),
      fc.array(act, { minLength: 1, maxLength: 6 }),
      fc.array(life, { maxLength: 12 }),
      fc.boolean(),
      async (scheduler, acts, lives, doubled) => {
        const stage = theatre(scheduler);
        stage.setLives([...lives]);
        let accepted = 0;
        const acting = acts.map(async (one) => {
          if (one.do === 'interrupt') return void expect(await stage.tell([INTERRUPT])).toBe(true);
          if (one.do === 'answer') return void (await stage.answerAll(one.allow));
          if (one.do === 'connect') return void (await stage.openPage(null));
          if (one.do === 'look') return void (await stage.lookAt(one.which, one.isDeclined));
          // A message alone may come while the session requires an action, and is refused then.
          const told = await stage.tell([...(one.interrupting ? [INTERRUPT] : []), says(one.text)]);
          if (told) accepted += 1;
        });
        if (doubled) stage.double(1);
        await scheduler.waitFor(Promise.all(acting));
        await stage.settle();
        if (lives.every((one) => one === 0) && !doubled)
          expect(await stage.status(), 'a wake-up was lost').toBe('idle');
        // Sweep repairs executions that have failed. By then no actor that can die has lives left.
        for (let left = 1; left > 0;) {
          for (let minute = 0; minute < 3; minute += 1) {
            await stage.settle();
            await stage.sweep();
          }
          await stage.settle();
          left = await scheduler.waitFor(stage.answerAll(true));
        }
        expectSound(stage.log.entries(KEY), accepted, stage.ran);
        for (const what of outline(stage.log.entries(KEY))) happened.add(what);
        if (JSON.stringify(stage.log.entries(KEY)).includes('declined: No.')) happened.add('a decline');
      },
    );
    await fc.assert(property, { ...ALWAYS_THE_SAME, numRuns: 200 });
    const rare = [
      'agent.thread_context_compacted',
      '[call.suspended]',
      '[call.resumed]',
      '[mcp.listed]',
      '[mcp.outdated]',
      'a decline',
    ];
    expect(rare.filter((what) => !happened.has(what))).toEqual([]);
    await fc.assert(property, { numRuns: propertyRuns(400) });
  });
});
