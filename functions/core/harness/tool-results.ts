/** What calls came to, as much of it as a model request holds. */
import type { Entry } from '#contract/entries.ts';
import type { SessionEvent } from '#contract/events.ts';
import type { EventId } from '#contract/ids.ts';
import { shorten, shownToModel } from '#core/harness/shorten.ts';
import type { ContentBlock } from '#core/model.ts';

/** Results of the newest calls that are never trimmed; of those before them, a whole step at a time is. */
const FRESH_CALLS = 40;
const STEP_CALLS = 20;
/** What is kept of a trimmed result, which is twice as long at least. */
const OLD_RESULT_CHARS = 4000;

export interface ToolResult {
  readonly content: readonly ContentBlock[];
  readonly isError: boolean;
}

export type ResultOf = (call: EventId) => ToolResult | undefined;

/**
 * Old results keep their head and tail. The boundary moves by whole steps: each move changes the middle of the request
 * and with it costs the provider's cache of everything after, so between two moves requests only grow at their end.
 */
export function resultsIn(entries: readonly Entry[]): ResultOf {
  const results = new Map(entries.flatMap((entry) => ('event' in entry ? resultOf(entry.event) : [])));
  const compacted = entries.findLastIndex((entry) => 'record' in entry && entry.record.kind === 'context.compacted');
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
  return 'record' in entry && entry.record.kind === 'model.answered' ? entry.record.calls.map(({ id }) => id) : [];
}

function resultOf(event: SessionEvent): readonly [EventId, ToolResult][] {
  switch (event.type) {
    case 'agent.tool_result':
      return [[event.tool_use_id, { content: event.content, isError: event.is_error }]];
    case 'agent.mcp_tool_result':
      return [[event.mcp_tool_use_id, { content: shownToModel(event.content), isError: event.is_error }]];
    case 'user.custom_tool_result':
      return [[event.custom_tool_use_id, { content: event.content ?? [], isError: event.is_error ?? false }]];
    default:
      return [];
  }
}
