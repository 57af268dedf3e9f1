/** The tool use of a call, read from the log where the run says that it is. */
import { eventIn } from '#contract/entries.ts';
import type { EventOf } from '#contract/events.ts';
import type { HandCall } from '#contract/run.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { LogKey } from '#core/ports/session-log.ts';

/** Throws `Fault` `stored_data_invalid` when that position holds something else. */
export async function toolUseOf(
  { log }: Pick<Ports, 'log'>,
  key: LogKey,
  { id, position }: HandCall,
): Promise<EventOf<'agent.tool_use'>> {
  const event = eventIn(await log.entryAt(key, position));
  if (event?.type === 'agent.tool_use' && event.id === id) return event;
  throw new Fault('stored_data_invalid', `position ${position} of the log is not the tool use ${id}`);
}
