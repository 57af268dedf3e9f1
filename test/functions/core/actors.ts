/** Who works on a log in a stage: each waits for the model, and may die at an append. */
import type { SessionAgent } from '#contract/agents.ts';
import type { Guides, SessionState } from '#contract/entries.ts';
import type { EventInput } from '#contract/events.ts';
import { EnvironmentId, WorkspaceId } from '#contract/ids.ts';
import type { AssignedCall, HandOutcome, RunState } from '#contract/run.ts';
import type { TurnWorld } from '#core/harness/turn-world.ts';
import { Fault } from '#core/ports/errors.ts';
import type { ModelAnswer, ModelRequest } from '#core/ports/model.ts';
import type { SessionLog } from '#core/ports/session-log.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import { createSession } from '#core/session/create.ts';
import { fold } from '#core/session/evolve.ts';
import { KEY } from '#test/functions/core/given.ts';
import type { MemoryLog } from '#test/ports/session-log.memory.ts';

/** When an actor dies: at its next append, before or after it takes effect. */
export type Fate = 'lives' | 'dies before' | 'dies after';

export class Killed extends Error {}

export interface Actor {
  fate: Fate | 'dead';
}

interface Asking {
  readonly actor: Actor;
  readonly request: ModelRequest;
  readonly answer: (answer: ModelAnswer) => void;
  readonly fail: (error: Error) => void;
}

/** What all executions of runs have. */
export interface RunningTurn {
  readonly run: number;
  /** The input of its next turn. */
  input: RunState;
  at: 'turn' | 'asking' | 'hands' | 'harvest' | 'over';
  /** Calls that hands are making, and the outcomes of the others. */
  hands: readonly AssignedCall[];
  outcomes: readonly HandOutcome[];
  asking: Asking | null;
}

/** A harness that watches its request pauses for so long between two looks. */
export const SECOND_MS = 1000;

/** A session whose log begins with these events. */
export function beginLog(
  log: MemoryLog,
  stamp: Stamp,
  agent: SessionAgent,
  { initial, guides = {} }: { readonly initial: readonly EventInput[]; readonly guides?: Guides },
): SessionState {
  const environment = EnvironmentId.parse('env_1');
  const created = createSession(
    { agent: agent.id, environment_id: environment, initial_events: [...initial] as never },
    { workspace: WorkspaceId.parse('wrkspc_1'), session: KEY.session, agent, environment, contents: null, guides },
    stamp,
  );
  if (created.status === 'refused') throw new TypeError(created.message);
  log.create(KEY, fold(null, created.first.entries), created.first.entries);
  return created.first.state;
}

/** A dead actor reads nothing. */
export function readsOf(log: SessionLog, actor: Actor): Omit<SessionLog, 'append'> {
  const alive = <Value>(value: Promise<Value>) => {
    if (actor.fate === 'dead') throw new Killed();
    return value;
  };
  return {
    head: async (key) => alive(log.head(key)),
    read: async (key, from) => alive(log.read(key, from)),
    slice: async (key, from) => alive(log.slice(key, from)),
    entryAt: async (key, position) => alive(log.entryAt(key, position)),
  };
}

/** The test answers in the model's place. */
export function modelFor(actor: Actor, execution: RunningTurn): TurnWorld['model'] {
  return {
    ask: (request, _listener, signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Fault('model_unreachable', 'cut off')));
        execution.asking = { actor, request, answer: resolve, fail: reject };
      }),
  };
}

/** The end of a turn, as Step Functions sees it: a state to continue with. */
export function afterTurn(execution: RunningTurn, state: RunState): void {
  execution.asking = null;
  const { do: next = 'idle', calls = [] } = state.turn ?? {};
  if (next === 'long') throw new RangeError('no run here is long');
  execution.at = next === 'idle' ? 'over' : next === 'tools' ? 'hands' : next === 'harvest' ? next : 'turn';
  execution.hands = calls;
  execution.outcomes = [];
  const { hands: _reported, ...input } = state;
  execution.input = input;
}

/** An execution whose harness died repeats the turn. */
export function afterDeath(execution: RunningTurn): void {
  execution.asking = null;
  execution.at = 'turn';
}
