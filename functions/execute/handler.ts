/** Execute: one tool call in the session's sandbox; the result goes to the log, not to the state machine. */
import { ExecuteInput, SANDBOX_NOT_READY } from '#contract/run.ts';
import { execute } from '#core/hands/execute.ts';
import { executeWorld } from '#aws/worlds/execute.ts';

const world = executeWorld(process.env);

/** The state machine knows it by its name, and invokes `provision`. */
class SandboxNotReady extends Error {
  override readonly name = SANDBOX_NOT_READY;
}

export async function handler(input: unknown): Promise<void> {
  try {
    if ((await execute(world, ExecuteInput.parse(input))) === 'sandbox not ready') throw new SandboxNotReady();
  } finally {
    world.journal.flush();
  }
}
