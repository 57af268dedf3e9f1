/** Turn: one model request of a run, invoked by the state machine. */
import type { Context } from 'aws-lambda';
import { RunState } from '#contract/run.ts';
import { takeTurn } from '#core/harness/take-turn.ts';
import type { HarnessWorld } from '#aws/worlds/harness.ts';

/** Left of the function's time to append what came of a request that is cut off. */
const TIME_TO_APPEND_MS = 15_000;

export type TurnHandler = (input: unknown, context: Context) => Promise<RunState>;

export function turnHandler(world: HarnessWorld): TurnHandler {
  return async function handler(input, context) {
    const run = RunState.parse(input);
    const cutOff = AbortSignal.timeout(Math.max(1, context.getRemainingTimeInMillis() - TIME_TO_APPEND_MS));
    try {
      return await takeTurn(world, run, cutOff);
    } finally {
      world.journal.flush();
    }
  };
}
