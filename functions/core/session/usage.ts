/** The fold of what a session has used. */
import type { SessionState } from '#contract/entries.ts';
import type { EventId } from '#contract/ids.ts';
import type { ModelUsage, Usage } from '#contract/usage.ts';

export const NO_USAGE: Usage = {
  input_tokens: 0,
  output_tokens: 0,
  cache_read_input_tokens: 0,
  cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
  active_seconds: 0,
  server_tool_use: { web_search_requests: 0, web_fetch_requests: 0 },
};

export function countWebUse(state: SessionState, id: EventId): SessionState {
  const name = state.calls.find((call) => call.id === id)?.name;
  const { server_tool_use: uses } = state.usage;
  switch (name) {
    case 'web_fetch':
      return {
        ...state,
        usage: { ...state.usage, server_tool_use: { ...uses, web_fetch_requests: uses.web_fetch_requests + 1 } },
      };
    case 'web_search':
      return {
        ...state,
        usage: { ...state.usage, server_tool_use: { ...uses, web_search_requests: uses.web_search_requests + 1 } },
      };
    default:
      return state;
  }
}

export function addUsage(total: Usage, request: ModelUsage): Usage {
  return {
    ...total,
    input_tokens: total.input_tokens + request.input_tokens,
    output_tokens: total.output_tokens + request.output_tokens,
    cache_read_input_tokens: total.cache_read_input_tokens + request.cache_read_input_tokens,
    cache_creation: {
      ...total.cache_creation,
      ephemeral_5m_input_tokens: total.cache_creation.ephemeral_5m_input_tokens + request.cache_creation_input_tokens,
    },
  };
}
