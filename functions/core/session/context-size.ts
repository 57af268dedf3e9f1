/** The fold of the model's context: how large it is, as far as that is known, and where the slice of the log begins. */
import { Position } from '#contract/ids.ts';
import type { RecordOf, SessionState } from '#contract/entries.ts';
import { fullTokens } from '#core/model/room.ts';
import { tokensOfText } from '#core/model/token-estimate.ts';

export function answered(state: SessionState, record: RecordOf<'model.answered'>): SessionState {
  const contextTokens = record.contextTokens ?? state.contextTokens;
  const compactions = contextTokens < fullTokens(state.model) ? 0 : state.compactions;
  return { ...state, contextTokens, compactions, taken: null };
}

/** What the model has not answered is no part of the summary, so the slice begins no later than that. */
export function compacted(
  state: SessionState,
  record: RecordOf<'context.compacted'>,
  position: Position,
): SessionState {
  const unanswered = [
    ...(state.taken === null ? [] : [state.taken.from]),
    ...state.queued.map((message) => message.position),
  ];
  return {
    ...state,
    contextTokens: tokensOfText(record.summary) + tokensOfText(JSON.stringify(record.agent)),
    compactions: state.compactions + 1,
    // The slice to come has to hold the tools, which a listing before this record need not be in.
    mcp: null,
    sliceFrom: Position.parse(Math.min(position, ...unanswered)),
  };
}

export function listed(
  state: SessionState,
  { run, sha256, tools }: RecordOf<'mcp.listed'>,
  position: Position,
): SessionState {
  if (tools === null) return { ...state, mcp: state.mcp === null ? null : { ...state.mcp, run } };
  // What was answered before was counted with its tools, but for an answer that a summary stands for.
  const isUncounted = state.mcp === null && state.contextTokens > 0;
  const added = isUncounted ? tokensOfText(JSON.stringify(tools)) : 0;
  return { ...state, mcp: { run, sha256, position }, contextTokens: state.contextTokens + added };
}
