/** The folds of what a session has used, and of the model's context: its size, and where the slice of the log begins. */
import type { SessionState, RecordOf } from '#contract/entries.ts';
import { type EventId, type Instant, Position } from '#contract/ids.ts';
import type { ModelUsage, Usage } from '#contract/usage.ts';
import { fullTokens, tokensOfText } from '#core/model/room.ts';

export const NO_MODEL_USAGE: ModelUsage = {
  input_tokens: 0,
  output_tokens: 0,
  cache_read_input_tokens: 0,
  cache_creation_input_tokens: 0,
};

export const NO_USAGE: Usage = {
  input_tokens: 0,
  output_tokens: 0,
  cache_read_input_tokens: 0,
  cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
  active_seconds: 0,
  server_tool_use: { web_search_requests: 0, web_fetch_requests: 0 },
};

const WEB_USES: Readonly<Record<string, keyof Usage['server_tool_use']>> = {
  web_fetch: 'web_fetch_requests',
  web_search: 'web_search_requests',
};

export function countWebUse(state: SessionState, id: EventId): SessionState {
  const use = WEB_USES[state.calls.find((call) => call.id === id)?.name ?? ''];
  if (use === undefined) return state;
  const { server_tool_use: uses } = state.usage;
  return { ...state, usage: { ...state.usage, server_tool_use: { ...uses, [use]: uses[use] + 1 } } };
}

export function addModelUsage(one: ModelUsage, other: ModelUsage): ModelUsage {
  return {
    input_tokens: one.input_tokens + other.input_tokens,
    output_tokens: one.output_tokens + other.output_tokens,
    cache_read_input_tokens: one.cache_read_input_tokens + other.cache_read_input_tokens,
    cache_creation_input_tokens: one.cache_creation_input_tokens + other.cache_creation_input_tokens,
  };
}

function combined(one: Usage, other: Usage, by: (one: number, other: number) => number): Usage {
  const [cache, otherCache] = [one.cache_creation, other.cache_creation];
  const [uses, otherUses] = [one.server_tool_use, other.server_tool_use];
  return {
    input_tokens: by(one.input_tokens, other.input_tokens),
    output_tokens: by(one.output_tokens, other.output_tokens),
    cache_read_input_tokens: by(one.cache_read_input_tokens, other.cache_read_input_tokens),
    cache_creation: {
      ephemeral_5m_input_tokens: by(cache.ephemeral_5m_input_tokens, otherCache.ephemeral_5m_input_tokens),
      ephemeral_1h_input_tokens: by(cache.ephemeral_1h_input_tokens, otherCache.ephemeral_1h_input_tokens),
    },
    active_seconds: by(one.active_seconds, other.active_seconds),
    server_tool_use: {
      web_search_requests: by(uses.web_search_requests, otherUses.web_search_requests),
      web_fetch_requests: by(uses.web_fetch_requests, otherUses.web_fetch_requests),
    },
  };
}

export function sumOf(one: Usage, other: Usage): Usage {
  return combined(one, other, (a, b) => a + b);
}

/** What was used since `before`. */
export function sinceUsage(before: Usage, now: Usage): Usage {
  return combined(now, before, (a, b) => a - b);
}

/** Usage with the seconds of the running stretch that ends now. */
export function plusSeconds(usage: Usage, runningSince: Instant | null, now: Instant): Usage {
  if (runningSince === null) return usage;
  const seconds = Math.max(0, Date.parse(now) - Date.parse(runningSince)) / 1000;
  return { ...usage, active_seconds: usage.active_seconds + seconds };
}

/** What all threads of the session have used until now. */
export function sessionUsage(state: SessionState, now: Instant): Usage {
  return plusSeconds(restedUsage(state), sessionSince(state), now);
}

/** The same at the session's last rest; its seconds are those in which the session ran. */
export function restedUsage({ usage, team }: SessionState): Usage {
  return team === undefined ? usage : sumOf(team.usage, { ...usage, active_seconds: 0 });
}

/** When the session, in any of its threads, last began to run; null while it does not. */
export function sessionSince({ runningSince, team }: SessionState): Instant | null {
  return team === undefined ? runningSince : team.runningSince;
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
  // The model reads nothing of the definitions of the agents that it may give work to.
  const { multiagent: _listed, ...own } = record.agent;
  return {
    ...state,
    contextTokens: tokensOfText(record.summary) + tokensOfText(JSON.stringify(own)),
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
