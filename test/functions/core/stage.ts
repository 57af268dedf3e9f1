/**
 * A session and all actors around it, in one process, one step at a time: clients, executions of its runs, harnesses
 * that wait for the model, hands, and sweep. A test can make an actor die at its append, before or after it takes
 * effect.
 */
import { setImmediate as settled } from 'node:timers/promises';
import type { SessionState } from '#contract/entries.ts';
import type { EventInput, SessionEvent } from '#contract/events.ts';
import type { SessionAgent } from '#contract/agents.ts';
import { type EventId } from '#contract/ids.ts';
import type { AssignedCall, HandOutcome, RunState } from '#contract/run.ts';
import { refusalOf } from '#test/model/check-request.ts';
import { Fault } from '#core/ports/errors.ts';
import { execute, type ExecuteWorld } from '#core/hands/execute.ts';
import { harvestTurn } from '#core/hands/harvest.ts';
import type { TurnWorld } from '#core/harness/turn-world.ts';
import { createHistory } from '#core/harness/history.ts';
import { takeTurn } from '#core/harness/take-turn.ts';
import type { ModelAnswer, ModelRequest } from '#core/ports/model.ts';
import type { Append, Head, SessionLog } from '#core/ports/session-log.ts';
import { change } from '#core/session/change.ts';
import type { Command } from '#core/session/commands.ts';
import { outcomeChanges, viewOutcome, type OutcomeChange } from '#core/session/outcomes.ts';
import { repair } from '#core/session/repair.ts';
import { endWait, send } from '#core/session/send.ts';
import {
  HANDS,
  AGENT,
  KEY,
  NO_CONTENTS,
  NO_SOURCES,
  NO_MCP,
  SANDBOX,
  SILENT,
  steadyStamp,
  NO_FILES,
  NO_OUTPUTS,
  NO_TEAM,
} from '#test/functions/core/given.ts';
import {
  type Actor,
  afterDeath,
  afterTurn,
  beginLog,
  type Fate,
  Killed,
  modelFor,
  readsOf,
  type RunningTurn,
  SECOND_MS,
} from '#test/functions/core/actors.ts';
import { judged, LISTING, SERVED, TROUBLE } from '#test/functions/core/served.ts';
import { memoryPreviews } from '#test/ports/previews.memory.ts';
import { memoryLog } from '#test/ports/session-log.memory.ts';

/** One of the run's executions, or a second delivery of one. */
export interface Execution extends RunningTurn {
  readonly id: number;
}

/**
 * `bash` is executed by a hand, `read` has to be confirmed, `weather` is answered by the client; `find` of the tracker
 * is executed by a hand, and `drop` is denied by the proxy.
 */
export const TOOLED: SessionAgent = {
  ...AGENT,
  mcp_servers: SERVED.mcp_servers,
  tools: [
    ...SERVED.tools.filter((tool) => tool.type === 'mcp_toolset'),
    {
      type: 'agent_toolset_20260401',
      default_config: { enabled: true, permission_policy: { type: 'always_allow' } },
      configs: [{ type: 'read', name: 'read', enabled: true, permission_policy: { type: 'always_ask' } }],
    },
    { type: 'custom', name: 'weather', description: 'Tells the weather.', input_schema: { type: 'object' } },
  ],
};

/** What the session's row copies from the log: the appends that change status or run. */
const rowOf = ({ status, run, usage, runningSince }: SessionState) => ({ status, run, usage, runningSince });

export type Stage = Awaited<ReturnType<typeof createStage>>;

export async function createStage(initial: readonly EventInput[]) {
  const stamp = steadyStamp();
  const log = memoryLog();
  /** First positions of the appends, by which listings page through the log. */
  const appends: number[] = [1];
  const executions: Execution[] = [];
  const started = new Map<number, Execution>();
  /** Calls that the sandbox made, in order: it makes each once. */
  const ran: EventId[] = [];
  /** Of these, calls that had ended before their hand began. */
  const ranInVain: EventId[] = [];
  const requests: ModelRequest[] = [];
  let seconds: (() => void)[] = [];
  let count = 0;

  const begun = beginLog(log, stamp, TOOLED, { initial });
  let row = rowOf(begun);
  /** What the item beside the row was told. */
  const outcomes = new Map<number, OutcomeChange>();

  function portFor(actor: Actor): SessionLog {
    return {
      ...readsOf(log, actor),
      append: async (append) => {
        if (actor.fate === 'dies before') actor.fate = 'dead';
        if (actor.fate === 'dead') throw new Killed();
        const appended = await store(append);
        if (actor.fate === 'lives' || appended.status === 'conflict') return appended;
        actor.fate = 'dead';
        throw new Killed();
      },
    };
  }

  async function store(append: Append) {
    const appended = await log.append(append);
    if (appended.status === 'conflict') return appended;
    appends.push(append.after.position + 1);
    const { after, state } = append;
    if (after.state.status !== state.status || after.state.run !== state.run) row = rowOf(state);
    for (const [number, told] of outcomeChanges(after.state, append.entries)) {
      outcomes.set(number, { ...outcomes.get(number), ...told });
    }
    return appended;
  }

  const client = { log: { ...log, append: store }, stamp };
  const runs = {
    async start(_key: unknown, run: number): Promise<'started' | 'taken'> {
      const known = started.get(run);
      if (known !== undefined) return known.at === 'over' ? 'taken' : 'started';
      started.set(run, enter({ ...KEY, run }, run));
      return 'started';
    },
  };

  function enter(input: RunState, run: number): Execution {
    count += 1;
    const execution: Execution = {
      id: count,
      run,
      input,
      at: 'turn',
      hands: [],
      outcomes: [],
      asking: null,
    };
    executions.push(execution);
    return execution;
  }

  function turnWorld(actor: Actor, execution: Execution): TurnWorld {
    const port = portFor(actor);
    return {
      log: port,
      history: createHistory(port),
      attachedFiles: NO_FILES,
      ...NO_OUTPUTS,
      ...NO_TEAM,
      hands: HANDS,
      model: modelFor(actor, execution),
      warming: { warm: async () => undefined },
      sha256: NO_MCP.sha256,
      mcp: { list: async () => [LISTING], judge: async (_key, calls) => judged(calls) },
      previews: memoryPreviews(),
      stamp,
      // A harness that watches its request looks again when a step lets a second pass. All other pauses end at once.
      pause: (ms) => (ms === SECOND_MS ? new Promise((resolve) => void seconds.push(resolve)) : Promise.resolve()),
      journal: SILENT,
    };
  }

  function follow(execution: Execution, turn: Promise<RunState>): void {
    void turn.then(
      (state) => afterTurn(execution, state),
      (error: unknown) => {
        if (!(error instanceof Killed)) throw error;
        afterDeath(execution);
      },
    );
  }

  /** As the MCP proxy does, suspends a call for which a person has to open a page first. */
  async function callServer(actor: Actor, call: EventId, suspends: boolean): Promise<void> {
    const port = portFor(actor);
    const head = await port.head(KEY);
    const open = head?.state.calls.find(({ id, waitsFor }) => id === call && waitsFor === 'hand');
    if (head === null || open === undefined) return;
    const content = [{ type: 'text' as const, text: 'found' }];
    const command: Command = suspends
      ? { do: 'suspend', call, sincePosition: open.sincePosition, error: TROUBLE }
      : { do: 'result', call, content, isError: false };
    await change({ log: port, stamp }, KEY, head, command);
  }

  function executeWorld(actor: Actor, leaves: boolean): ExecuteWorld {
    const live = leaves ? { programsLive: true as const } : {};
    return {
      log: portFor(actor),
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
        send: async (_hand, _call, generation) => ({ record: SANDBOX, sentTo: generation, again: false }),
      },
      sandboxClient: {
        execute: async (_place, { call }) => {
          const id = call as EventId;
          const served = ran.includes(id) ? ('replayed' as const) : ('ran' as const);
          if (served === 'ran') ran.push(id);
          if (served === 'ran' && !(await head()).state.calls.some((call) => call.id === id)) ranInVain.push(id);
          return {
            status: 'answered',
            response: { output: 'ok', isError: false, served, durationMs: 1, ...live },
          } as const;
        },
        ...NO_CONTENTS,
        changes: async () => ({ changes: [], notes: [], ...live }),
        cancel: () => undefined,
      },
      ...NO_SOURCES,
      stamp,
      pause: async () => undefined,
      journal: SILENT,
    };
  }

  async function head(): Promise<Head> {
    const now = await log.head(KEY);
    if (now === null) throw new RangeError('the session has no log');
    return now;
  }

  function handDone(execution: Execution, outcome: HandOutcome): void {
    execution.hands = execution.hands.filter((call) => call.id !== outcome.id);
    execution.outcomes = [...execution.outcomes, outcome];
    if (execution.hands.length > 0) return;
    execution.at = 'turn';
    execution.input = { ...execution.input, hands: [...execution.outcomes] };
  }

  const stage = {
    log,
    ran,
    ranInVain,
    requests,
    executions,
    head,
    row: () => row,
    outcomes: () => [...outcomes.values()].map(viewOutcome),
    appends,
    events: (): readonly SessionEvent[] => log.entries(KEY).flatMap((entry) => ('event' in entry ? [entry.event] : [])),
    /** Whether an execution of that name has ended. */
    isOver: (run: number) => started.get(run)?.at === 'over',
    live: () => executions.filter((execution) => execution.at !== 'over'),

    /** `from`: a head that may be out of date. `lost`: the client's request dies before it starts the run. */
    async send(events: readonly EventInput[], from: Head, start: 'started' | 'lost'): Promise<'accepted' | 'refused'> {
      const ports = { ...client, runs: start === 'started' ? runs : { start: async () => 'started' as const } };
      const result = await send(ports, { key: KEY, head: from, cause: 'req_1' }, events);
      await settled();
      return result.status;
    },

    async change(command: Command): Promise<'accepted' | 'refused'> {
      const changed = await change(client, KEY, await head(), command);
      return changed.status === 'refused' ? 'refused' : 'accepted';
    },

    /** Takes the next turn of an execution, until it waits for the model or has ended. */
    async turn(execution: Execution, fate: Fate): Promise<void> {
      const actor: Actor = { fate };
      execution.at = 'asking';
      follow(execution, takeTurn(turnWorld(actor, execution), execution.input, new AbortController().signal));
      await settled();
      const asked = execution.asking;
      if (asked === null) return;
      requests.push(asked.request);
      const broken = refusalOf(asked.request);
      if (broken !== null) throw new Error(`the provider would refuse the request: ${broken}`);
    },

    async hear(execution: Execution, heard: ModelAnswer | Fault, fate: Fate): Promise<void> {
      const { asking } = execution;
      if (asking === null) return;
      asking.actor.fate = fate;
      if (heard instanceof Fault) asking.fail(heard);
      else asking.answer(heard);
      await settled();
    },

    /** The harness dies while it waits for the model. */
    async kill(execution: Execution): Promise<void> {
      const { asking } = execution;
      if (asking === null) return;
      asking.actor.fate = 'dead';
      asking.fail(new Killed());
      await settled();
    },

    async useHand(
      execution: Execution,
      call: AssignedCall,
      { fate, suspends, leaves }: { readonly fate: Fate; readonly suspends: boolean; readonly leaves: boolean },
    ): Promise<void> {
      try {
        if (call.function === HANDS.mcp.function) await callServer({ fate }, call.id, suspends);
        else await execute(executeWorld({ fate }, leaves), { ...KEY, call, sandbox: { generation: 1 } });
        handDone(execution, { id: call.id, sincePosition: call.sincePosition });
      } catch (error) {
        if (!(error instanceof Killed)) throw error;
      }
    },

    async harvest(
      execution: Execution,
      { fate, leaves }: { readonly fate: Fate; readonly leaves: boolean },
    ): Promise<void> {
      const { since } = execution.input.turn ?? {};
      if (since === undefined) throw new RangeError('no harvest is due');
      try {
        await harvestTurn(executeWorld({ fate }, leaves), { ...KEY, harvest: 'turn', since });
        execution.at = 'turn';
      } catch (error) {
        if (!(error instanceof Killed)) throw error;
      }
    },

    failHarvest: (execution: Execution) => void (execution.at = 'turn'),

    failHand: (execution: Execution, call: AssignedCall) =>
      handDone(execution, {
        id: call.id,
        sincePosition: call.sincePosition,
        error: 'SandboxUnavailable',
      }),

    /** Delivers a second time what an execution is doing. */
    double(execution: Execution): void {
      const twin = enter(execution.input, execution.run);
      twin.at = execution.at === 'asking' ? 'turn' : execution.at;
      twin.hands = execution.hands;
      twin.outcomes = execution.outcomes;
    },

    async lose(execution: Execution): Promise<void> {
      await stage.kill(execution);
      execution.at = 'over';
    },

    async resume(call: EventId): Promise<void> {
      await endWait({ ...client, runs }, { key: KEY, cause: 'connect_1' }, { do: 'resume', call });
      await settled();
    },

    async decline(call: EventId): Promise<void> {
      await endWait({ ...client, runs }, { key: KEY, cause: 'connect_1' }, { do: 'decline', call, reason: 'No.' });
      await settled();
    },

    sweep: () => repair({ ...client, runs }, KEY),

    /** A second passes for every actor that waits for it. */
    async second(): Promise<void> {
      const due = seconds;
      seconds = [];
      for (const pass of due) pass();
      await settled();
    },
  };
  if ((await head()).state.run > 0) await runs.start(KEY, 1);
  return stage;
}
