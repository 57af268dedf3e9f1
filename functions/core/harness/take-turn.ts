/**
 * One Turn of a run: wake, decide the next step, and make at most one model request. It may stop between any two lines:
 * the next attempt continues from what is in the log.
 */
import { recordIn, type OpenCall, type SessionState } from '#contract/entries.ts';
import { SANDBOX_UNAVAILABLE, type HandOutcome, type Hands, type Next, type RunState } from '#contract/run.ts';
import { Fault } from '#core/ports/errors.ts';
import { runName, type LogKey } from '#core/ports/session-log.ts';
import { ask } from '#core/harness/ask.ts';
import type { RequestOutcome } from '#core/harness/model-request.ts';
import { changeSlice, queuedMessages, type Slice } from '#core/harness/history.ts';
import type { TurnWorld } from '#core/harness/turn-world.ts';
import { compact } from '#core/harness/compact.ts';
import { evaluate } from '#core/harness/evaluate.ts';
import { refreshTools } from '#core/harness/refresh-tools.ts';
import { next, type Step } from '#core/harness/next.ts';
import { change, prepare } from '#core/session/change.ts';
import type { Command } from '#core/session/commands.ts';
import { handOf, heldHand } from '#core/session/waiting.ts';

/** What ends a Turn: `next` for the state machine, `run` for the execution after a `long` one. */
interface Ended {
  readonly run: number;
  readonly next: Next;
}

const REQUESTS = { ask, compact, evaluate };

/** Pauses before the next look for the append that begins the run: its execution is started beside it, so may be first. */
const PATIENCE_MS = [5, 10, 20, 40, 80, 160, 320, 640, 1280] as const;

export async function takeTurn(world: TurnWorld, run: RunState, signal: AbortSignal): Promise<RunState> {
  const key: LogKey = { session: run.session, thread: run.thread };
  const ended = await begin(world, key, run, signal).catch((error: unknown) => {
    // The session was deleted during the turn, so its run ends.
    if (error instanceof Fault && error.code === 'session_gone') return rest(run.run);
    throw error;
  });
  return { session: run.session, thread: run.thread, run: ended.run, turn: ended.next };
}

async function begin(world: TurnWorld, key: LogKey, run: RunState, signal: AbortSignal): Promise<Ended> {
  const slice = await awaken(world, key, run.run);
  if (slice === null) return rest(run.run);
  // An earlier attempt began the next run and died before it answered, so that run's execution is not started yet.
  if (slice.head.state.run !== run.run) return goOn(key, slice.head.state.run);
  const reported = await reportHands(world, key, slice, run);
  return go(world, key, await reportHarvest(world, key, reported, run), signal);
}

/** The log at this run, or handed on by it; null when the run is over, was never begun, or another execution has it. */
async function awaken(world: TurnWorld, key: LogKey, run: number): Promise<Slice | null> {
  for (let look = 0; ; look += 1) {
    const slice = await world.history.load(key);
    if (slice !== null && slice.head.state.run >= run) return isMine(slice, run) ? slice : null;
    const ms = PATIENCE_MS[look];
    // It ends right after a look: a start while this waits is answered that the run is under way.
    if (ms === undefined) return null;
    await world.pause(ms);
  }
}

function isMine({ head, entries }: Slice, run: number): boolean {
  if (head.state.run === run) return true;
  const last = recordIn(entries.at(-1));
  return last?.kind === 'run.continued' && last.reason === 'long' && last.run === run + 1;
}

async function go(world: TurnWorld, key: LogKey, from: Slice, signal: AbortSignal): Promise<Ended> {
  const run = from.head.state.run;
  for (let slice = from; ;) {
    const step = next(slice.head.state);
    switch (step.do) {
      case 'rest':
        return rest(run);
      case 'use hands':
        return {
          run,
          next: { do: 'tools', calls: handCalls(world.hands, slice.head.state, step.calls), waitSeconds: 0 },
        };
      case 'harvest':
        return { run, next: { ...step, calls: [], waitSeconds: 0 } };
      case 'continue':
        return continueRun(world, key, slice);
      case 'await action':
      case 'give up': {
        const left = await endTurn(world, key, slice, step);
        if (left === null) return rest(run);
        slice = left;
        break;
      }
      case 'end turn':
        slice = await changeSlice(world, key, slice, step);
        break;
      case 'list tools': {
        const listed = await refreshTools(world, key, slice);
        if (listed === null) return rest(run);
        slice = listed;
        break;
      }
      case 'ask':
      case 'compact':
      case 'evaluate': {
        const asked = await REQUESTS[step.do](world, key, slice, signal);
        if (asked.status !== 'overtaken') return afterRequest(world, key, asked);
        slice = asked.slice;
        break;
      }
      default:
        return step satisfies never;
    }
  }
}

/** The state machine's next step, from the state after the model request. */
async function afterRequest(
  world: TurnWorld,
  key: LogKey,
  asked: Exclude<RequestOutcome, { status: 'overtaken' }>,
): Promise<Ended> {
  if (asked.status === 'fenced') return rest(asked.run);
  const { state } = asked.slice.head;
  const step = next(state);
  switch (step.do) {
    case 'rest':
      return rest(state.run);
    case 'use hands':
      return {
        run: state.run,
        next: { do: 'tools', calls: handCalls(world.hands, state, step.calls), waitSeconds: 0 },
      };
    case 'harvest':
      return { run: state.run, next: { ...step, calls: [], waitSeconds: 0 } };
    case 'continue':
      return continueRun(world, key, asked.slice);
    case 'await action':
    case 'end turn':
    case 'list tools':
    case 'ask':
    case 'compact':
    case 'evaluate':
    case 'give up': {
      const wait = asked.status === 'failed' ? asked.waitSeconds : 0;
      return { run: state.run, next: { do: wait > 0 ? 'retry' : 'again', calls: [], waitSeconds: wait } };
    }
    default:
      return step satisfies never;
  }
}

/** Ends the turn as the step says. When another process appended first, it answers the slice to decide on anew. */
async function endTurn(
  world: TurnWorld,
  key: LogKey,
  slice: Slice,
  step: Extract<Step, { do: 'await action' | 'give up' }>,
): Promise<Slice | null> {
  const command: Command = step.do === 'give up' ? { ...step, taken: queuedMessages(slice) } : step;
  const prepared = prepare(key, slice.head, command, world);
  if (prepared.status !== 'prepared') return null;
  const appended = await world.log.append(prepared.append);
  return appended.status === 'appended' ? null : world.history.load(key);
}

async function continueRun(world: TurnWorld, key: LogKey, slice: Slice): Promise<Ended> {
  const changed = await change(world, key, slice.head, { do: 'continue', run: slice.head.state.run, reason: 'long' });
  if (changed.status !== 'changed') return rest(slice.head.state.run);
  return goOn(key, changed.head.state.run);
}

/** In the execution of the next run. */
function goOn(key: LogKey, run: number): Ended {
  return { run, next: { do: 'long', calls: [], waitSeconds: 0, execution: runName(key, run) } };
}

/**
 * A call that still waits for a hand that has ended gets a result that says so. A suspended call waits for a person, and
 * one that was resumed since waits for a hand that has not been used yet.
 */
async function reportHands(world: TurnWorld, key: LogKey, from: Slice, run: RunState): Promise<Slice> {
  let slice = from;
  for (const outcome of run.hands ?? []) {
    if (!slice.head.state.calls.some((call) => isUnfinished(call, outcome))) continue;
    const effect =
      outcome.error === SANDBOX_UNAVAILABLE ? 'It had no effect.' : 'It may or may not have had an effect.';
    const text = `The tool call was not completed (${outcome.error ?? 'no result'}). ${effect}`;
    slice = await changeSlice(world, key, slice, {
      do: 'result',
      call: outcome.id,
      content: [{ type: 'text', text }],
      isError: true,
    });
  }
  return slice;
}

/** After a harvest that failed the turn ends all the same. */
async function reportHarvest(world: TurnWorld, key: LogKey, slice: Slice, { turn }: RunState): Promise<Slice> {
  const since = turn?.since;
  if (since === undefined || slice.head.state.ending?.position !== since || slice.head.state.ending.isHarvested)
    return slice;
  return changeSlice(world, key, slice, { do: 'harvested', since, programsLive: false });
}

function isUnfinished(call: OpenCall, { id, sincePosition }: HandOutcome): boolean {
  return call.id === id && call.waitsFor === 'hand' && call.sincePosition === sincePosition;
}

function handCalls(hands: Hands, state: SessionState, calls: readonly OpenCall[]): Next['calls'] {
  const hand = heldHand(state);
  return calls.map((call) => ({
    ...hands[handOf(call)],
    ...(hand !== null && handOf(call) === 'sandbox' && { hand }),
    id: call.id,
    position: call.position,
    sincePosition: call.sincePosition,
  }));
}

function rest(run: number): Ended {
  return { run, next: { do: 'idle', calls: [], waitSeconds: 0 } };
}
