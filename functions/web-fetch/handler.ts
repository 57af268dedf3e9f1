/** Web fetch: one `web_fetch` call of a session; the result goes to the log, not to the state machine. */
import { HandInput } from '#contract/run.ts';
import { webFetch } from '#core/hands/web-fetch.ts';
import { webFetchWorld } from '#aws/worlds/web-fetch.ts';

const world = webFetchWorld(process.env);

export async function handler(input: unknown): Promise<void> {
  try {
    await webFetch(world, HandInput.parse(input));
  } finally {
    world.journal.flush();
  }
}
