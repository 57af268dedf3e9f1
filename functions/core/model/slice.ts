/** What a slice of the log says of its agent, of the tools that servers offer it, and of its last answer. */
import type { SessionAgent } from '#contract/agents.ts';
import { eventIn, recordIn, type Entry, type Guides, type HeldFiles } from '#contract/entries.ts';
import type { OutcomeDefinition } from '#contract/events.ts';
import type { OfferedTool } from '#contract/mcp.ts';
import type { ContentBlock } from '#core/ports/model.ts';

/** The content of an event, with what its files hold in place of their ids. */
export function withFiles(content: readonly ContentBlock[], files: HeldFiles | undefined): readonly ContentBlock[] {
  if (files === undefined) return content;
  const held = new Map<unknown, HeldFiles[keyof HeldFiles]>(Object.entries(files));
  return content.map((block) => {
    const source = held.get(Object(block['source']).file_id);
    return source === undefined ? block : { ...block, source };
  });
}

/** What `read` tells of the newest entry that it tells something of: a slice is long, and that entry is near its end. */
export function newest<Told>(entries: readonly Entry[], read: (entry: Entry) => Told | null): Told | null {
  for (let index = entries.length - 1; index >= 0; index -= 1) {
    const entry = entries[index];
    const told = entry === undefined ? null : read(entry);
    if (told !== null) return told;
  }
  return null;
}

/** The agent as it is from this entry on; null where the entry leaves it as it was. */
export function agentIn(entry: Entry): SessionAgent | null {
  const event = eventIn(entry);
  if (event !== null) return event.type === 'session.updated' ? (event.agent ?? null) : null;
  const record = recordIn(entry);
  return record?.kind === 'session.created' || record?.kind === 'context.compacted' ? record.agent : null;
}

/** The agent a session works with: as it was created, as it was last changed, or as a compaction repeats it. */
export function agentOf(entries: readonly Entry[]): SessionAgent {
  const agent = newest(entries, agentIn);
  if (agent === null) throw new TypeError('a slice begins with session.created or holds a context.compacted');
  return agent;
}

/** What the models of the session's threads are told of its memory and skills. */
export function guidesOf(entries: readonly Entry[]): Guides {
  return newest(entries, guidesIn) ?? {};
}

function guidesIn(entry: Entry): Guides | null {
  const record = recordIn(entry);
  if (record?.kind !== 'session.created' && record?.kind !== 'context.compacted') return null;
  const { guide, guides, environments } = record;
  return { ...(guide && { guide }), ...(guides && { guides }), ...(environments && { environments }) };
}

/** Whether the entry ends a turn of the thread whose slice this is: the primary thread's log tells of its children, too. */
export function endsTurnOf(entries: readonly Entry[]): (entry: Entry) => boolean {
  const thread = newest(entries, (entry) => {
    const record = recordIn(entry);
    return record?.kind === 'session.created' || record?.kind === 'context.compacted' ? record.thread : null;
  });
  return (entry) => {
    const event = eventIn(entry);
    return event?.type === 'session.thread_status_idle' && event.session_thread_id === thread;
  };
}

/** The last outcome that the session was given; a compaction repeats the one that is active. */
export function definitionOf(entries: readonly Entry[]): OutcomeDefinition | null {
  return newest(entries, definitionIn);
}

function definitionIn(entry: Entry): OutcomeDefinition | null {
  const event = eventIn(entry);
  if (event !== null) return event.type === 'user.define_outcome' ? event : null;
  const record = recordIn(entry);
  return record?.kind === 'context.compacted' ? (record.outcome ?? null) : null;
}

/** What the agent's MCP servers offer, as it was listed last. */
export function offeredTools(entries: readonly Entry[]): readonly OfferedTool[] {
  return newest(entries, toolsIn) ?? [];
}

export function toolsIn(entry: Entry): readonly OfferedTool[] | null {
  const record = recordIn(entry);
  return record?.kind === 'mcp.listed' ? record.tools : null;
}

/**
 * What the last answer said. Results of its calls of the provider's own tools may come in the next one: when it paused,
 * or when it made calls of ours beside them.
 */
export function earlierBlocks(entries: readonly Entry[]): readonly ContentBlock[] {
  const last = newest(entries, (entry) => {
    const record = recordIn(entry);
    return record?.kind === 'model.answered' || record?.kind === 'context.compacted' ? record : null;
  });
  return last?.kind === 'model.answered' ? last.blocks : [];
}
