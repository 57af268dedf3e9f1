/** The fold of results that the model sees in part: the positions of the newest, which sandboxes are given as files. */
import type { SessionState } from '#contract/entries.ts';
import type { EventOf } from '#contract/events.ts';
import type { Position } from '#contract/ids.ts';
import { MAX_LARGE_RESULTS } from '#contract/hands.ts';
import { isLarge } from '#core/model/shorten.ts';

export function withLargeResult(
  state: SessionState,
  { mcp_tool_use_id: call, content }: EventOf<'agent.mcp_tool_result'>,
  position: Position,
): SessionState {
  if (!isLarge(content)) return state;
  return { ...state, largeResults: [...state.largeResults, { call, position }].slice(-MAX_LARGE_RESULTS) };
}
