/** The results of calls, shortened as a model request holds them. */
import type { SessionAgent } from '#contract/agents.ts';
import { recordIn, type Entry } from '#contract/entries.ts';
import type { SessionEvent } from '#contract/events.ts';
import { resultFile } from '#contract/hands.ts';
import type { EventId } from '#contract/ids.ts';
import type { ToolName } from '#contract/tools.ts';
import { enabledTools } from '#core/tools/tool-definitions.ts';
import { agentIn } from '#core/model/slice.ts';
import { shorten, shownToModel } from '#core/model/shorten.ts';
import type { ContentBlock } from '#core/ports/model.ts';

/** Results of the newest calls that are never trimmed; of those before them, a whole step at a time is. */
const FRESH_CALLS = 40;
const STEP_CALLS = 20;
/** Chars that are kept of a trimmed result; a shorter one than twice this stays whole. */
const OLD_RESULT_CHARS = 4000;

/** Tools that can read a file in the sandbox. */
const READERS: ReadonlySet<ToolName> = new Set(['bash', 'read', 'grep']);

export interface ToolResult {
  readonly content: readonly ContentBlock[];
  readonly isError: boolean;
}

/** The file of a call's long result; null when the agent has no tool to read it. */
type FileOf = (call: EventId) => string | null;
const NO_FILE: FileOf = () => null;

export type ResultOf = (call: EventId) => ToolResult | undefined;

/**
 * Old results keep their head and tail. The boundary moves by whole steps: each move changes the middle of the request
 * and with it costs the provider's cache of everything after, so between two moves requests only grow at their end.
 */
export function resultsIn(entries: readonly Entry[]): ResultOf {
  const results = new Map(allResults(entries));
  const compacted = entries.findLastIndex((entry) => recordIn(entry)?.kind === 'context.compacted');
  const calls = entries.slice(compacted + 1).flatMap(callsIn);
  const old = new Set(calls.slice(0, oldCalls(calls.length)));
  return (call) => {
    const result = results.get(call);
    if (result === undefined) return undefined;
    return old.has(call) ? { ...result, content: shorten(result.content, OLD_RESULT_CHARS) } : result;
  };
}

function oldCalls(calls: number): number {
  return Math.max(0, Math.floor((calls - FRESH_CALLS) / STEP_CALLS) * STEP_CALLS);
}

function callsIn(entry: Entry): readonly EventId[] {
  const record = recordIn(entry);
  return record?.kind === 'model.answered' ? record.calls.map(({ id }) => id) : [];
}

/** Each result as it was shown first: a later change of the agent must not change it, or the provider's cache is lost. */
function allResults(entries: readonly Entry[]): readonly [EventId, ToolResult][] {
  let fileOf: FileOf = NO_FILE;
  return entries.flatMap((entry) => {
    const agent = agentIn(entry);
    if (agent !== null) fileOf = hasReader(agent) ? resultFile : NO_FILE;
    return 'event' in entry ? resultOf(entry.event, fileOf) : [];
  });
}

function hasReader(agent: SessionAgent): boolean {
  return enabledTools(agent).some((name) => READERS.has(name));
}

function resultOf(event: SessionEvent, fileOf: FileOf): readonly [EventId, ToolResult][] {
  switch (event.type) {
    case 'agent.tool_result':
      return [[event.tool_use_id, { content: event.content, isError: event.is_error }]];
    case 'agent.mcp_tool_result': {
      const call = event.mcp_tool_use_id;
      const content = shownToModel(event.content, fileOf(call));
      return [[call, { content, isError: event.is_error }]];
    }
    case 'user.custom_tool_result':
      return [[event.custom_tool_use_id, { content: event.content ?? [], isError: event.is_error ?? false }]];
    default:
      return [];
  }
}
