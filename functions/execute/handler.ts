/** Execute: one tool call in the session's sandbox; the result goes to the log, not to the state machine. */
import { ExecuteInput, SANDBOX_LOST, SANDBOX_NOT_READY } from '#contract/run.ts';
import { execute } from '#core/hands/execute.ts';
import { executeWorld } from '#aws/worlds/execute.ts';

const world = executeWorld(process.env);

/** The state machine knows it by its name, and invokes `provision`. */
class ForProvision extends Error {
  override readonly name: typeof SANDBOX_LOST | typeof SANDBOX_NOT_READY;

  constructor(name: typeof SANDBOX_LOST | typeof SANDBOX_NOT_READY) {
    super(name);
    this.name = name;
  }
}

export async function handler(input: unknown): Promise<void> {
  try {
    const executed = await execute(world, ExecuteInput.parse(input));
    if (executed === 'sandbox not ready') throw new ForProvision(SANDBOX_NOT_READY);
    if (executed === 'sandbox lost') throw new ForProvision(SANDBOX_LOST);
  } finally {
    world.journal.flush();
  }
}
