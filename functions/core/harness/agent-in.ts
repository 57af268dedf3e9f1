import type { SessionAgent } from '#contract/agents.ts';
import type { Entry } from '#contract/entries.ts';

/** The agent as it is from this entry on; undefined where the entry leaves it as it was. */
export function agentIn(entry: Entry): SessionAgent | undefined {
  if ('event' in entry) return entry.event.type === 'session.updated' ? entry.event.agent : undefined;
  const { record } = entry;
  return record.kind === 'session.created' || record.kind === 'context.compacted' ? record.agent : undefined;
}
