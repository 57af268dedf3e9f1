/**
 * Gives a sandbox the files of large results: those that it says it lacks, just before the first call
 * that may read them. A session without a sandbox has none made for this, and one that was replaced is given them anew.
 */
import { eventIn, type SessionState } from '#contract/entries.ts';
import { Fault } from '#core/ports/errors.ts';
import { wholeText } from '#core/model/shorten.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import type { SandboxPlace } from '#core/ports/sandboxes.ts';

type LargeResult = SessionState['largeResults'][number];

/** False when the sandbox could not be reached: the repeated call finds out whether it still listens. */
export async function giveResults(
  ports: Pick<Ports, 'log' | 'sandboxClient'>,
  key: LogKey,
  { sandbox, results }: { readonly sandbox: SandboxPlace; readonly results: readonly LargeResult[] },
): Promise<boolean> {
  // One after the other: each may be a megabyte.
  for (const result of results) {
    const given = await ports.sandboxClient.give(sandbox, result.call, await textOf(ports, key, result));
    if (given === 'interrupted') return false;
    // On a full disk the agent must still be able to make room, so a result that was refused holds no call up.
  }
  return true;
}

async function textOf({ log }: Pick<Ports, 'log'>, key: LogKey, { call, position }: LargeResult): Promise<string> {
  const event = eventIn(await log.entryAt(key, position));
  if (event?.type !== 'agent.mcp_tool_result' || event.mcp_tool_use_id !== call) {
    throw new Fault('stored_data_invalid', `position ${position} of the log is not the result of ${call}`);
  }
  return wholeText(event.content);
}
