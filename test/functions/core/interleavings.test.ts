/**
 * Random interleavings of clients, executions and hands over one log, with any of them dying at any port call. However
 * it goes: the log has no gap and no repeat, every message is answered, and every command ran at most once.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventId } from '#contract/ids.ts';
import type { HandOutcome, RunState } from '#contract/run.ts';
import type { Entry } from '#contract/entries.ts';
import { execute, type ExecuteWorld } from '#core/hands/execute.ts';
import { buildMessages } from '#core/harness/context.ts';
import { createHistory } from '#core/harness/history.ts';
import type { TurnWorld } from '#core/harness/ask.ts';
import { takeTurn } from '#core/harness/take-turn.ts';
import type { Journal, ModelRequest, SandboxRecord, SessionLog } from '#core/ports.ts';
import { change } from '#core/session/change.ts';
import { fold } from '#core/session/evolve.ts';
import { repair } from '#core/session/repair.ts';
import { answer, CREATED, KEY, NOW, outline, send, steadyStamp, toolUse } from '#test/functions/core/given.ts';
import { memoryPreviews } from '#test/ports/previews.memory.ts';
import { memoryLog } from '#test/ports/session-log.memory.ts';

/** What a dead process does at its next port call. */
class Killed extends Error {}

/** How often an actor may call a port before it dies; 0 never dies. */
type Life = number;

const SILENT: Journal = { line: () => undefined, metric: () => undefined };
const SANDBOX: SandboxRecord = {
  status: 'ready',
  generation: 1,
  token: 't',
  task: 'task',
  address: 'sandbox:1',
  lastUsedAt: NOW,
  packages: null,
  archive: null,
  readyAt: NOW,
};

function theatre(scheduler: fc.Scheduler) {
  const log = memoryLog();
  log.create(KEY, fold(null, [CREATED]), [CREATED]);
  const stamp = steadyStamp();
  /** Calls that the sandbox has seen: it runs the first of an id and replays the rest (test/sandbox-task). */
  const ran = new Set<EventId>();
  const started = new Map<number, 'running' | 'closed'>();
  const executions: Promise<void>[] = [];
  let lives: Life[] = [];

  /** Each call of a port waits for its turn on the stage; a life that is used up throws, and keeps throwing. */
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
    append: (append) => act(() => log.append(append)),
    entryAt: (key, position) => act(() => log.entryAt(key, position)),
  });

  function turnWorld(act: Act): TurnWorld {
    const port = logFor(act);
    return {
      log: port,
      history: createHistory(port),
      model: { ask: (request) => act(async () => scripted(request)) },
      warming: { warm: async () => undefined },
      previews: memoryPreviews(),
      stamp,
      pause: async () => scheduler.schedule(Promise.resolve()),
      journal: SILENT,
    };
  }

  function executeWorld(act: Act): ExecuteWorld {
    return {
      log: logFor(act),
      records: {
        find: async () => SANDBOX,
        reserve: async () => SANDBOX,
        ready: async () => SANDBOX,
        lost: async () => undefined,
        failed: async () => SANDBOX,
        send: (_session, _call, generation) => act(async () => ({ record: SANDBOX, sentTo: generation, again: false })),
      },
      client: {
        execute: (_place, call) =>
          act(async () => {
            // The sandbox server's own rule: a call it has seen is joined or replayed.
            const id = call.call as EventId;
            const served = ran.has(id) ? ('replayed' as const) : ('ran' as const);
            ran.add(id);
            return { status: 'answered', response: { output: 'ok', isError: false, served, durationMs: 1 } } as const;
          }),
        cancel: () => undefined,
      },
      delivery: { deliver: async () => ({ status: 'delivered' }) },
      stamp,
      pause: async () => scheduler.schedule(Promise.resolve()),
      journal: SILENT,
    };
  }

  const life = () => lives.shift() ?? 0;

  /** Step Functions: invokes again what died, a few times, then the execution fails. */
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
      state = { ...turn, hands };
    }
  }

  async function useHand(call: NonNullable<RunState['turn']>['calls'][number]): Promise<HandOutcome> {
    try {
      await persistently((act) => execute(executeWorld(act), { ...KEY, call, sandbox: { generation: 1 } }));
      return { call: call.id, outcome: 'done' };
    } catch {
      return { call: call.id, outcome: 'failed', error: 'Lambda.Unknown' };
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

  async function say(text: string): Promise<void> {
    const head = await log.head(KEY);
    if (head === null) return;
    const changed = await change({ log: logFor(mortal(0)), stamp }, KEY, head, send(text));
    if (changed.status === 'changed' && changed.before.state.status === 'idle') await start(changed.head.state.run);
  }

  return {
    log,
    ran,
    say,
    setLives: (given: Life[]) => {
      lives = given;
    },
    /** A second execution for a run that has one: what idempotent names are there to prevent. */
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

/** Calls two tools for a message that asks for it, and otherwise answers. */
function scripted(request: ModelRequest) {
  const last = request.messages.at(-1)?.content ?? [];
  const wantsTools = last.some((block) => block.type === 'text' && String(block['text']).startsWith('use tools'));
  if (!wantsTools) return answer();
  const suffix = request.messages.length;
  return answer({ stopReason: 'tool_use', blocks: [toolUse(`toolu_a${suffix}`), toolUse(`toolu_b${suffix}`)] });
}

function expectSound(entries: readonly Entry[], sent: number, ran: ReadonlySet<string>): void {
  const events = entries.flatMap((entry) => ('event' in entry ? [entry.event] : []));
  const answered = new Set(events.flatMap((event) => (event.type === 'agent.tool_result' ? [event.tool_use_id] : [])));
  const uses = events.flatMap((event) => (event.type === 'agent.tool_use' ? [event.id] : []));
  const results = events.filter((event) => event.type === 'agent.tool_result');
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
  expect(results).toHaveLength(uses.length);
  expect(uses.every((id) => answered.has(id))).toBe(true);
  expect(accepted).toHaveLength(sent);
  expect(taken.toSorted()).toEqual(accepted.toSorted());
  expect(ends.toSorted()).toEqual(starts.toSorted());
  expect([...ran].every((id) => uses.some((use) => use === id))).toBe(true);
  // Every answer, result and message makes a conversation that the provider accepts.
  expect(() => buildMessages(entries)).not.toThrow();
  expect(outline(entries).at(-1)).toBe('session.status_idle');
}

const message = fc.constantFrom('hello', 'use tools please');
/** Mostly immortal; the mortal ones die within the calls that a turn makes. */
const life = fc.oneof(
  { weight: 2, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 9 }) },
);

describe('any interleaving of clients, executions and hands', () => {
  it('answers every message, once, whoever dies', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(message, { minLength: 1, maxLength: 4 }),
        fc.array(life, { maxLength: 12 }),
        fc.boolean(),
        async (scheduler, messages, lives, doubled) => {
          const stage = theatre(scheduler);
          stage.setLives(lives);
          const saying = messages.map((text) => stage.say(text));
          if (doubled) stage.double(1);
          await scheduler.waitFor(Promise.all(saying));
          await stage.settle();
          // Executions that died for good are what sweep is for; by then the killer has no lives left to take.
          for (let minute = 0; minute < 3; minute += 1) {
            await stage.sweep();
            await stage.settle();
          }
          expectSound(stage.log.entries(KEY), messages.length, stage.ran);
        },
      ),
      { numRuns: 400 },
    );
  });
});
