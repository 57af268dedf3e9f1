/** The fold of open calls: from a tool use to its result. */
import type { OpenCall, SessionState } from '#contract/entries.ts';
import type { EventOf } from '#contract/events.ts';
import type { EventId, Position } from '#contract/ids.ts';
import { estimateTokens } from '#core/model/room.ts';
import type { ContentBlock } from '#core/ports/model.ts';

/** Events that one call adds to an execution's history: measured on the state machine, rounded up. */
const CALL_HISTORY_EVENTS = 24;

type ToolUse = EventOf<'agent.tool_use' | 'agent.mcp_tool_use' | 'agent.custom_tool_use'>;

export function open(
  state: SessionState,
  use: ToolUse,
  { position, waitsFor }: Pick<OpenCall, 'position' | 'waitsFor'>,
): SessionState {
  const { id, name } = use;
  const server = use.type === 'agent.mcp_tool_use' ? use.mcp_server_name : null;
  const unasked = { sincePosition: position, isConfirmed: false, isSuspended: false, handSincePosition: null };
  const call = { id, name, position, waitsFor, server, ...unasked };
  return {
    ...state,
    calls: [...state.calls, call],
    historyEvents: state.historyEvents + CALL_HISTORY_EVENTS,
  };
}

/** A call that waited for a person is a hand's to make. */
export function release(
  state: SessionState,
  id: EventId,
  { sincePosition, isConfirmed }: Pick<OpenCall, 'sincePosition' | 'isConfirmed'>,
): SessionState {
  const released = { waitsFor: 'hand', sincePosition, isSuspended: false, handSincePosition: null } as const;
  return withCall(state, id, (call) => ({ ...call, ...released, isConfirmed: call.isConfirmed || isConfirmed }));
}

/** The hand gave the call back, and may be given it again. */
export function suspend(state: SessionState, id: EventId, sincePosition: Position): SessionState {
  const suspended = { waitsFor: 'confirmation', sincePosition, isSuspended: true } as const;
  return withCall(state, id, (call) => ({ ...call, ...suspended, handSincePosition: call.sincePosition }));
}

/** `shown` is the result as the model will see it. */
export function close(state: SessionState, id: EventId, shown: readonly ContentBlock[]): SessionState {
  // While a request is open these are results of the provider's own tools: the answer, and its count, hold them already.
  const added = state.request === null ? estimateTokens(shown) : 0;
  return { ...state, contextTokens: state.contextTokens + added, calls: state.calls.filter((call) => call.id !== id) };
}

function withCall(state: SessionState, id: EventId, change: (call: OpenCall) => OpenCall): SessionState {
  return { ...state, calls: state.calls.map((call) => (call.id === id ? change(call) : call)) };
}
