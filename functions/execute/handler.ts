/** Execute: one tool call in the session's sandbox; the result goes to the log, not to the state machine. */
import { ExecuteInput } from '#contract/run.ts';
import { execute } from '#core/hands/execute.ts';
import { executeWorld } from '#aws/worlds/execute.ts';

const world = executeWorld(process.env);

export async function handler(input: unknown): Promise<void> {
  try {
    await execute(world, ExecuteInput.parse(input));
  } finally {
    world.journal.flush();
  }
}
