/**
 * Events of the API: one sample per type, and one more for each variant that a client distinguishes. The compiler
 * checks that they have the SDK's types; the test checks that our schema accepts exactly them.
 */
import { RepositoryErrorType } from '#contract/repositories.ts';
import type { BetaManagedAgentsStreamSessionEvents } from '@anthropic-ai/sdk/resources/beta/sessions/events';

type Persisted = Exclude<BetaManagedAgentsStreamSessionEvents, { type: 'event_start' | 'event_delta' }>;

type Block = Exclude<Extract<Persisted, { type: 'user.message' }>['content'][number], { type: 'redacted' }>;

export interface EventSample {
  readonly name: string;
  readonly event: Persisted;
  /** Top-level fields that the contract allows to be absent. */
  readonly optional: readonly string[];
}

const AT = '2026-11-21T10:00:00.000Z';
const at = { id: 'sevt_01abc', processed_at: AT };
const thread = { session_thread_id: 'sthr_01abc', agent_name: 'Ada' };
const stopped = { stop_reason: { type: 'end_turn' }, stop_details: null } as const;
const retrying = { type: 'retrying' } as const;

const text = { type: 'text', text: 'Hello.' } as const;
const blocks: Block[] = [
  text,
  { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'aGk=' } },
  { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } },
  {
    type: 'document',
    source: { type: 'base64', media_type: 'application/pdf', data: 'aGk=' },
    title: 'A',
    context: 'B',
  },
  { type: 'document', source: { type: 'url', url: 'https://example.com/a.pdf' } },
  { type: 'image', source: { type: 'file', file_id: 'file_1' } },
  { type: 'document', source: { type: 'file', file_id: 'file_1' }, title: 'A' },
  { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'hi' }, title: null, context: null },
];

const usage = {
  input_tokens: 10,
  output_tokens: 5,
  cache_read_input_tokens: 2,
  cache_creation: { ephemeral_5m_input_tokens: 1, ephemeral_1h_input_tokens: 0 },
  active_seconds: 1.5,
  server_tool_use: { web_search_requests: 1, web_fetch_requests: 0 },
};
const modelUsage = {
  input_tokens: 10,
  output_tokens: 5,
  cache_read_input_tokens: 2,
  cache_creation_input_tokens: 1,
};

const agent = {
  id: 'agent_01abc',
  type: 'agent' as const,
  version: 1,
  name: 'Ada',
  description: null,
  system: null,
  model: { id: 'claude-opus-5', effort: { type: 'high' as const }, speed: 'standard' as const },
  tools: [
    {
      type: 'mcp_toolset' as const,
      mcp_server_name: 'tracker',
      default_config: { enabled: true, permission_policy: { type: 'always_ask' as const } },
      configs: [{ name: 'list', enabled: false, permission_policy: { type: 'always_allow' as const } }],
    },
  ],
  mcp_servers: [{ type: 'url' as const, name: 'tracker', url: 'https://tracker.invalid/mcp' }],
  skills: [],
  multiagent: null,
  execution_identity: { type: 'service_account' as const },
};

/** `optional` after the event: fields that may be absent beside `session_thread_id`. */
function sample(event: Persisted, note = '', optional: readonly string[] = []): EventSample {
  const name = note === '' ? event.type : `${event.type}, ${note}`;
  return { name, event, optional: ['session_thread_id', ...optional] };
}

const use = { name: 'bash', input: { command: 'ls', timeout_ms: 1000 } };
const RESULT = ['content', 'is_error'];
const EVALUATION = ['evaluated_permission', 'evaluation'];

export const EVENT_SAMPLES: readonly EventSample[] = [
  sample({ ...at, type: 'user.message', content: blocks }),
  sample({ ...at, type: 'user.message', processed_at: null, content: [text] }, 'queued'),
  sample({ ...at, type: 'user.interrupt' }),
  sample({ ...at, type: 'user.interrupt', processed_at: null }, 'queued'),
  sample({ ...at, type: 'user.tool_confirmation', tool_use_id: 'sevt_02', result: 'allow' }),
  sample(
    {
      ...at,
      type: 'user.tool_confirmation',
      tool_use_id: 'sevt_02',
      result: 'deny',
      deny_message: 'no',
      processed_at: null,
    },
    'denied and queued',
    ['deny_message'],
  ),
  sample(
    { ...at, type: 'user.custom_tool_result', custom_tool_use_id: 'sevt_02', content: blocks, is_error: false },
    '',
    RESULT,
  ),
  sample({ ...at, type: 'user.custom_tool_result', custom_tool_use_id: 'sevt_02' }, 'empty'),
  sample({ ...at, type: 'user.tool_result', tool_use_id: 'sevt_02', content: [text], is_error: true }, '', RESULT),
  sample({
    ...at,
    type: 'user.define_outcome',
    outcome_id: 'outc_01',
    description: 'A',
    rubric: { type: 'text', content: 'B' },
    max_iterations: 3,
  }),
  sample({ ...at, type: 'system.message', content: [text] }),
  sample({ ...at, type: 'system.message', processed_at: null, content: [text] }, 'queued'),

  sample({ ...at, type: 'agent.message', content: [text] }),
  sample({ ...at, type: 'agent.thinking' }),
  sample(
    { ...at, type: 'agent.tool_use', ...use, evaluated_permission: 'allow', evaluation: { type: 'always_allow' } },
    '',
    EVALUATION,
  ),
  sample(
    { ...at, type: 'agent.tool_use', ...use, evaluated_permission: 'ask', evaluation: { type: 'always_ask' } },
    'that asks',
    EVALUATION,
  ),
  sample({ ...at, type: 'agent.tool_use', ...use, evaluated_permission: 'deny' }, 'that is not offered', EVALUATION),
  sample({ ...at, type: 'agent.tool_result', tool_use_id: 'sevt_02', content: blocks, is_error: false }, '', RESULT),
  sample(
    {
      ...at,
      type: 'agent.tool_result',
      tool_use_id: 'sevt_02',
      content: [
        {
          type: 'search_result',
          source: 'https://example.com',
          title: 'A',
          content: [text],
          citations: { enabled: true },
        },
      ],
      is_error: false,
    },
    'of a web search',
    RESULT,
  ),
  sample(
    {
      ...at,
      type: 'agent.mcp_tool_use',
      ...use,
      mcp_server_name: 'tracker',
      evaluated_permission: 'allow',
      evaluation: { type: 'always_allow' },
    },
    '',
    EVALUATION,
  ),
  sample(
    {
      ...at,
      type: 'agent.mcp_tool_use',
      ...use,
      mcp_server_name: 'tracker',
      evaluated_permission: 'ask',
      evaluation: { type: 'auto', evaluated_permission: { type: 'ask', reason_code: 'indeterminate' } },
    },
    'that asks',
    EVALUATION,
  ),
  sample(
    { ...at, type: 'agent.mcp_tool_use', ...use, mcp_server_name: 'tracker', evaluated_permission: 'deny' },
    'that is denied',
    EVALUATION,
  ),
  sample(
    { ...at, type: 'agent.mcp_tool_result', mcp_tool_use_id: 'sevt_02', content: [text], is_error: false },
    '',
    RESULT,
  ),
  sample({ ...at, type: 'agent.custom_tool_use', ...use }),
  sample({ ...at, type: 'agent.custom_tool_use', ...use, session_thread_id: 'sthr_02' }, 'a copy', [
    'session_thread_id',
  ]),
  sample({ ...at, type: 'agent.thread_message_sent', to_session_thread_id: 'sthr_02', content: [text] }),
  sample({ ...at, type: 'agent.thread_message_received', from_session_thread_id: 'sthr_02', content: [text] }),
  sample(
    {
      ...at,
      type: 'agent.thread_message_received',
      from_session_thread_id: 'sthr_02',
      from_agent_name: 'Bob',
      content: [text],
    },
    'a report',
    ['from_agent_name'],
  ),
  sample({ ...at, type: 'agent.thread_context_compacted' }),

  sample({ ...at, type: 'session.status_running' }),
  sample({ ...at, type: 'session.status_idle', ...stopped }),
  sample(
    {
      ...at,
      type: 'session.status_idle',
      stop_reason: { type: 'requires_action', event_ids: ['sevt_02'] },
      stop_details: null,
    },
    'waiting for the client',
  ),
  sample(
    { ...at, type: 'session.status_idle', stop_reason: { type: 'retries_exhausted' }, stop_details: null },
    'given up',
  ),
  sample(
    {
      ...at,
      type: 'session.status_idle',
      stop_reason: { type: 'refusal' },
      stop_details: { type: 'refusal', category: 'bio', explanation: null },
    },
    'refused',
  ),
  sample({ ...at, type: 'session.status_rescheduled' }),
  sample({ ...at, type: 'session.status_terminated' }),
  sample({ ...at, type: 'session.error', error: { type: 'unknown_error', message: 'A', retry_status: retrying } }),
  ...(
    [
      'model_overloaded_error',
      'model_rate_limited_error',
      'model_request_failed_error',
      'billing_error',
      'tool_use_limit_reached_error',
      'compaction_limit_reached_error',
    ] as const
  ).map((type) =>
    sample({ ...at, type: 'session.error', error: { type, message: 'A', retry_status: { type: 'exhausted' } } }, type),
  ),
  ...(['mcp_connection_failed_error', 'mcp_authentication_failed_error'] as const).map((type) =>
    sample(
      {
        ...at,
        type: 'session.error',
        error: { type, mcp_server_name: 'tracker', message: 'A', retry_status: retrying },
      },
      type,
    ),
  ),
  sample(
    {
      ...at,
      type: 'session.error',
      error: {
        type: 'credential_host_unreachable_error',
        ...{ credential_id: 'vcrd_1', vault_id: 'vlt_1', message: 'A', retry_status: retrying },
      },
    },
    'credential_host_unreachable_error',
  ),
  ...RepositoryErrorType.options.map((type) =>
    sample(
      {
        ...at,
        type: 'session.error',
        error: { type, repository_url: 'https://github.com/acme/app', message: 'A', retry_status: retrying },
      },
      type,
    ),
  ),
  sample({ ...at, type: 'session.updated', title: 'A', metadata: { a: 'b' }, agent }, '', [
    'title',
    'metadata',
    'agent',
  ]),
  sample({ ...at, type: 'session.updated', title: null }, 'with one change', ['title']),
  sample({ ...at, type: 'session.usage', usage, budget: null }),
  sample({ ...at, type: 'session.deleted' }),
  sample({ ...at, type: 'session.thread_created', ...thread, workflow_run_id: null }),
  sample({ ...at, type: 'session.thread_status_running', ...thread }),
  sample({ ...at, type: 'session.thread_status_idle', ...thread, ...stopped }),
  sample({ ...at, type: 'session.thread_status_rescheduled', ...thread }),
  sample({ ...at, type: 'session.thread_status_terminated', ...thread }),

  sample({ ...at, type: 'span.model_request_start' }),
  sample({
    ...at,
    type: 'span.model_request_end',
    model_request_start_id: 'sevt_02',
    is_error: false,
    model_usage: modelUsage,
  }),
  sample({ ...at, type: 'span.outcome_evaluation_start', outcome_id: 'outc_01', iteration: 0 }),
  sample({ ...at, type: 'span.outcome_evaluation_ongoing', outcome_id: 'outc_01', iteration: 0 }),
  sample({
    ...at,
    type: 'span.outcome_evaluation_end',
    outcome_evaluation_start_id: 'sevt_02',
    outcome_id: 'outc_01',
    iteration: 0,
    result: 'satisfied',
    explanation: 'A',
    usage: modelUsage,
  }),
];
