/** What a slice of the log says of its agent, of the tools that servers offer it, and of its last answer. */
import type { SessionAgent } from '#contract/agents.ts';
import type { Entry } from '#contract/entries.ts';
import type { OfferedTool } from '#contract/mcp.ts';
import type { ContentBlock } from '#core/ports/model.ts';

/** The agent as it is from this entry on; undefined where the entry leaves it as it was. */
export function agentIn(entry: Entry): SessionAgent | undefined {
  if ('event' in entry) return entry.event.type === 'session.updated' ? entry.event.agent : undefined;
  const { record } = entry;
  return record.kind === 'session.created' || record.kind === 'context.compacted' ? record.agent : undefined;
}

/** The agent a session works with: as it was created, as it was last changed, or as a compaction repeats it. */
export function agentOf(entries: readonly Entry[]): SessionAgent {
  const last = entries.findLast((entry) => agentIn(entry) !== undefined);
  const agent = last === undefined ? undefined : agentIn(last);
  if (agent === undefined) throw new TypeError('a slice begins with session.created or holds a context.compacted');
  return agent;
}

/** What the agent's MCP servers offer, as it was listed last. */
export function offeredTools(entries: readonly Entry[]): readonly OfferedTool[] {
  const last = entries.findLast((entry) => toolsIn(entry) !== null);
  return last === undefined ? [] : (toolsIn(last) ?? []);
}

function toolsIn(entry: Entry): readonly OfferedTool[] | null {
  return 'record' in entry && entry.record.kind === 'mcp.listed' ? entry.record.tools : null;
}

/**
 * What the last answer said. Results of its calls of the provider's own tools may come in the next one: when it paused,
 * or when it made calls of ours beside them.
 */
export function earlierBlocks(entries: readonly Entry[]): readonly ContentBlock[] {
  const last = entries.findLast(
    (entry) =>
      'record' in entry && (entry.record.kind === 'model.answered' || entry.record.kind === 'context.compacted'),
  );
  return last !== undefined && 'record' in last && last.record.kind === 'model.answered' ? last.record.blocks : [];
}
