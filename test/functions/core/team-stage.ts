/**
 * A session of several threads and all actors around it, in one process, one step at a time: clients, executions of each
 * thread's runs, harnesses that wait for the model, hands, and sweep. An actor can die before or after each of its appends
 * and starts of runs.
 */
import { setImmediate as settled } from 'node:timers/promises';
import type { SessionAgent, SessionThreadAgent } from '#contract/agents.ts';
import { eventIn, type Entry, type Guides, type SessionState } from '#contract/entries.ts';
import type { EventInput, SessionEvent } from '#contract/events.ts';
import { AgentId, EnvironmentId, type EventId, type ThreadId } from '#contract/ids.ts';
import type { AssignedCall, RunState } from '#contract/run.ts';
import { createHistory } from '#core/harness/history.ts';
import { takeTurn } from '#core/harness/take-turn.ts';
import type { TurnWorld } from '#core/harness/turn-world.ts';
import { Fault } from '#core/ports/errors.ts';
import type { ModelAnswer, ModelRequest } from '#core/ports/model.ts';
import type { Append, Head, LogKey, NewThread, Runs, SessionLog } from '#core/ports/session-log.ts';
import type { Rows, ThreadRecord } from '#core/ports/records.ts';
import { change, tellsPrimary } from '#core/session/change.ts';
import type { Command } from '#core/session/commands.ts';
import { repair, type RunPorts } from '#core/session/repair.ts';
import { endWait, send, startsBeside } from '#core/session/send.ts';
import {
  AGENT,
  answer,
  HANDS,
  KEY,
  NO_FILES,
  NO_MCP,
  NO_OUTPUTS,
  NO_TEAM,
  SILENT,
  steadyStamp,
  toolUse,
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
import { TROUBLE } from '#test/functions/core/served.ts';
import { refusalOf } from '#test/model/check-request.ts';
import { memoryPreviews } from '#test/ports/previews.memory.ts';
import { memoryLog } from '#test/ports/session-log.memory.ts';

/** `bash` is executed by a hand, `read` has to be confirmed, `weather` is answered by the client. */
const TOOLS: SessionAgent['tools'] = [
  {
    type: 'agent_toolset_20260401',
    default_config: { enabled: true, permission_policy: { type: 'always_allow' } },
    configs: [{ type: 'read', name: 'read', enabled: true, permission_policy: { type: 'always_ask' } }],
  },
  { type: 'custom', name: 'weather', description: 'Tells the weather.', input_schema: { type: 'object' } },
];
const { multiagent: _multiagent, ...ALONE } = AGENT;
const member = (id: string, name: string): SessionThreadAgent => ({
  ...{ ...ALONE, id: AgentId.parse(id), name, system: `You are ${name}.`, tools: TOOLS },
});
export const COORDINATOR: SessionAgent = {
  ...AGENT,
  tools: TOOLS,
  multiagent: {
    type: 'coordinator',
    agents: [member('agent_2', 'ann'), member('agent_3', 'bob'), { type: 'advisor', model: 'claude-opus-5' }],
  },
};

/** More than any session of a test makes. */
const MANY_CALLS = 5000;

/** One of a thread's executions. */
export interface Execution extends RunningTurn {
  readonly thread: ThreadId;
}

export const keyOf = (thread: ThreadId): LogKey => ({ session: KEY.session, thread });

export type TeamStage = Awaited<ReturnType<typeof createTeamStage>>;

interface Options {
  readonly agent?: SessionAgent;
  readonly guides?: Guides;
  /** The death of the actor that makes the call of this number, of all appends and starts. */
  readonly dies?: { readonly at: number; readonly fate: Fate };
}

export async function createTeamStage(
  initial: readonly EventInput[],
  { agent = COORDINATOR, guides = {}, dies }: Options = {},
) {
  const stamp = steadyStamp(1000);
  const log = memoryLog();
  const begun: NewThread[] = [];
  const threads = () => [KEY.thread, ...begun.map(({ key }) => key.thread)];
  const executions: Execution[] = [];
  const started = new Map<string, Execution>();
  const requests: { readonly thread: ThreadId; readonly request: ModelRequest }[] = [];
  const names: string[] = [];
  let seconds: (() => void)[] = [];

  beginLog(log, stamp, agent, { initial, guides });

  async function guarded<Value>(actor: Actor, name: string, effect: () => Promise<Value>): Promise<Value> {
    if (actor.fate === 'dead') throw new Killed();
    if (names.length > MANY_CALLS) throw new RangeError('an actor decides again and again');
    const fate = dies?.at === names.length ? dies.fate : actor.fate;
    names.push(`${name}${fate === 'lives' ? '' : ` (${fate})`}`);
    if (fate === 'dies before') actor.fate = 'dead';
    if (fate === 'dies before') throw new Killed();
    const value = await effect();
    if (fate === 'dies after') actor.fate = 'dead';
    // It may have died meanwhile, in what it did beside this.
    if ((actor.fate as Actor['fate']) === 'dead') throw new Killed();
    return value;
  }

  /** What an actor works with; `meanwhile` happens between its first decision and the append. */
  function portsFor(actor: Actor, meanwhile = async (): Promise<void> => undefined): RunPorts {
    let wait: (() => Promise<void>) | null = meanwhile;
    const raw: SessionLog = {
      ...readsOf(log, actor),
      append: async (append, ...beside) => {
        const first = wait;
        wait = null;
        await first?.();
        return guarded(actor, `append to ${[append, ...beside].length}`, () => store(append, ...beside));
      },
    };
    const runs: Runs = {
      start: (key, run) => guarded(actor, 'start', async () => start(key, run)),
    };
    return { log: tellsPrimary(raw, stamp, startsBeside({ log: raw, runs, stamp })), runs, stamp };
  }

  async function store(append: Append, ...beside: readonly (Append | NewThread)[]) {
    const appended = await log.append(append, ...beside);
    if (appended.status === 'appended') {
      for (const one of beside) if (one.after === null) begun.push(one);
    }
    return appended;
  }

  /** All children, the newest first. */
  async function list(): Promise<Rows<ThreadRecord>> {
    const rows = begun.toReversed().map(async ({ key, thread: details, at }) => {
      const { status, run } = await stage.state(details.id);
      const item = { key, details, status, run, usage: null, runningSince: null, updatedAt: at, archivedAt: null };
      return { item, place: { createdAt: at, id: details.id } };
    });
    return { rows: await Promise.all(rows), more: null };
  }

  function start({ thread }: LogKey, run: number): 'started' | 'taken' {
    const name = `${thread}/${run}`;
    const known = started.get(name);
    if (known !== undefined) return known.at === 'over' ? 'taken' : 'started';
    const begun = { hands: [], outcomes: [], asking: null };
    const execution: Execution = { thread, run, input: { ...keyOf(thread), run }, at: 'turn', ...begun };
    started.set(name, execution);
    executions.push(execution);
    return 'started';
  }

  function turnWorld(actor: Actor, execution: Execution): TurnWorld {
    const ports = portsFor(actor);
    return {
      ...NO_TEAM,
      threads: { ...NO_TEAM.threads, list },
      ...ports,
      history: createHistory(ports.log),
      attachedFiles: NO_FILES,
      ...NO_OUTPUTS,
      hands: HANDS,
      model: modelFor(actor, execution),
      warming: { warm: async () => undefined },
      ...NO_MCP,
      previews: memoryPreviews(),
      pause: (ms) => (ms === SECOND_MS ? new Promise((resolve) => void seconds.push(resolve)) : Promise.resolve()),
      journal: SILENT,
    };
  }

  function follow(actor: Actor, execution: Execution, turn: Promise<RunState>): void {
    void turn.then(
      (state) => {
        if (actor.fate === 'dead') afterDeath(execution);
        else afterTurn(execution, state);
      },
      (error: unknown) => {
        if (!(error instanceof Killed)) throw error;
        afterDeath(execution);
      },
    );
  }

  async function head(thread: ThreadId = KEY.thread): Promise<Head> {
    const now = await log.head(keyOf(thread));
    if (now === null) throw new RangeError(`there is no log of ${thread}`);
    return now;
  }

  /** An actor that dies does so in silence. */
  async function unlessKilled<Value>(work: Promise<Value>): Promise<Value | 'died'> {
    try {
      return await work;
    } catch (error) {
      if (error instanceof Killed) return 'died';
      throw error;
    } finally {
      await settled();
    }
  }

  const stage = {
    log,
    stamp,
    get threads() {
      return threads();
    },
    executions,
    requests,
    /** What was called, in order. */
    names,
    head,
    state: async (thread: ThreadId = KEY.thread): Promise<SessionState> => (await head(thread)).state,
    children: () => threads().slice(1),
    /** Of children that have one, in the order in which they began. */
    ownEnvironments: () => begun.flatMap(({ own }) => own ?? []),
    entries: (thread: ThreadId = KEY.thread): readonly Entry[] => log.entries(keyOf(thread)),
    events: (thread: ThreadId = KEY.thread): readonly SessionEvent[] =>
      log.entries(keyOf(thread)).flatMap((entry) => eventIn(entry) ?? []),
    live: () => executions.filter(({ at }) => at !== 'over'),

    /** `from`: a head that may be out of date. */
    async send(
      events: readonly EventInput[],
      { from, fate = 'lives', meanwhile }: { from?: Head; fate?: Fate; meanwhile?: () => Promise<void> } = {},
    ) {
      const to = { key: KEY, head: from ?? (await head()), cause: 'req_1' };
      return unlessKilled(send(portsFor({ fate }, meanwhile), to, events));
    },

    async change(thread: ThreadId, command: Command, fate: Fate = 'lives') {
      return unlessKilled(change(portsFor({ fate }), keyOf(thread), await head(thread), command));
    },

    /** Takes the next turn of an execution, until it waits for the model or has ended. */
    async turn(execution: Execution, fate: Fate = 'lives'): Promise<void> {
      const actor: Actor = { fate };
      execution.at = 'asking';
      follow(actor, execution, takeTurn(turnWorld(actor, execution), execution.input, new AbortController().signal));
      await settled();
      const asked = execution.asking;
      if (asked === null) return;
      requests.push({ thread: execution.thread, request: asked.request });
      const broken = refusalOf(asked.request);
      if (broken !== null) throw new Error(`the provider would refuse the request: ${broken}`);
    },

    async hear(execution: Execution, heard: ModelAnswer | Fault, fate: Fate = 'lives'): Promise<void> {
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

    async lose(execution: Execution): Promise<void> {
      await stage.kill(execution);
      execution.at = 'over';
    },

    /** Delivers a second time what an execution is doing. */
    async double(execution: Execution): Promise<void> {
      executions.push({ ...execution, at: execution.at === 'asking' ? 'turn' : execution.at, asking: null });
    },

    async useHand(execution: Execution, call: AssignedCall, more: Partial<Command> = {}, fate: Fate = 'lives') {
      const content = [{ type: 'text' as const, text: 'a result' }];
      const result = { do: 'result' as const, call: call.id, content, isError: false, ...more } as Command;
      if ((await stage.change(execution.thread, result, fate)) === 'died') return;
      const outcome = { id: call.id, sincePosition: call.sincePosition };
      execution.hands = execution.hands.filter((other) => other.id !== call.id);
      execution.outcomes = [...execution.outcomes, outcome];
      if (execution.hands.length > 0) return;
      execution.at = 'turn';
      execution.input = { ...execution.input, hands: [...execution.outcomes] };
    },

    /** Its hand gives the call back, because a person has to do something outside the session first. */
    suspend: (execution: Execution, call: AssignedCall, fate: Fate = 'lives') =>
      stage.useHand(execution, call, { do: 'suspend', sincePosition: call.sincePosition, error: TROUBLE }, fate),

    /** The person has done it. */
    resume: (thread: ThreadId, call: EventId, fate: Fate = 'lives') =>
      unlessKilled(endWait(portsFor({ fate }), { key: keyOf(thread), cause: 'req_1' }, { do: 'resume', call })),

    async harvest(execution: Execution, fate: Fate = 'lives') {
      const { since } = execution.input.turn ?? {};
      if (since === undefined) throw new RangeError('no harvest is due');
      const done = await stage.change(execution.thread, { do: 'harvested', since, programsLive: false }, fate);
      if (done !== 'died') execution.at = 'turn';
    },

    async sweep(fate: Fate = 'lives') {
      for (const thread of threads()) await unlessKilled(repair(portsFor({ fate }), keyOf(thread)));
    },

    async second(): Promise<void> {
      const due = seconds;
      seconds = [];
      for (const pass of due) pass();
      await settled();
    },

    /** The thread's agent is asked, and says this. */
    async says(thread: ThreadId, ...said: readonly (ModelAnswer | Fault)[]): Promise<void> {
      for (const one of said) {
        const execution = stage.live().find((live) => live.thread === thread);
        if (execution === undefined) throw new RangeError(`no execution works for ${thread}`);
        const at = (): Execution['at'] => execution.at;
        if (at() === 'turn') await stage.turn(execution);
        if (at() !== 'asking') throw new RangeError(`the agent of ${thread} is not asked`);
        await stage.hear(execution, one);
        if (at() === 'turn' && !isAtWork(await stage.state(thread))) await stage.turn(execution);
      }
    },
  };
  if ((await head()).state.run > 0) start(KEY, 1);
  return stage;
}

const isAtWork = ({ status }: SessionState) => status === 'running' || status === 'rescheduling';

let written = 0;

/** An answer that makes these calls, with text before them where it says something. */
export function calls(...made: readonly (readonly [name: string, input?: object])[]): ModelAnswer {
  written += 1;
  const blocks = made.map(([name, input], index) => toolUse(`toolu_${written}_${index}`, name, input ?? {}));
  return answer({ stopReason: 'tool_use', blocks });
}

export const text = (said: string): ModelAnswer => answer({ blocks: [{ type: 'text', text: said }] });
export const asks = (agent: string, message = 'Do it.', sandbox?: string) =>
  ['send_to_agent', { agent, message, ...(sandbox !== undefined && { sandbox }) }] as const;
export const follows = (thread: ThreadId, message = 'And more.', sandbox?: string) =>
  ['send_to_agent', { thread_id: thread, message, ...(sandbox !== undefined && { sandbox }) }] as const;

/** `ann` brings an environment, and `bob` shares the sandbox of the session. */
export const LAB = { id: EnvironmentId.parse('env_lab'), packages: null };
export const LAB_GUIDES: Guides = { environments: { [AgentId.parse('agent_2')]: LAB } };
