/** Every parameter that the SDK's types have for the operations of the contract. */
import type {
  AgentCreateParams,
  AgentListParams,
  AgentUpdateParams,
} from '@anthropic-ai/sdk/resources/beta/agents/agents';
import type {
  EnvironmentCreateParams,
  EnvironmentUpdateParams,
} from '@anthropic-ai/sdk/resources/beta/environments/environments';
import type {
  BetaManagedAgentsUserMessageEventParams as UserMessage,
  EventListParams,
} from '@anthropic-ai/sdk/resources/beta/sessions/events';
import type {
  SessionCreateParams,
  SessionListParams,
  SessionUpdateParams,
} from '@anthropic-ai/sdk/resources/beta/sessions/sessions';

/** Every parameter of the SDK's type. A parameter that is missing here, or new in the SDK, does not compile. */
export type Everything<Params, Later extends keyof Params = never> = Required<
  Omit<Params, 'betas' | 'workspace_id' | Later>
>;

export const HEADERS = { betas: ['managed-agents-2026-04-01'] };
const PAST = '2020-01-01T00:00:00Z';
export const FUTURE = '2100-01-01T01:00:00+01:00';
export const TEXT = { type: 'text', text: 'hi' } as const;
export const MESSAGE: UserMessage = { type: 'user.message', content: [TEXT] };
export const OUTCOME = {
  type: 'user.define_outcome' as const,
  description: 'A report',
  rubric: { type: 'text' as const, content: 'It has a title.' },
  max_iterations: 1,
};

export const TOOL = {
  type: 'custom' as const,
  name: 'ask_a_person',
  description: 'Asks a person.',
  input_schema: { type: 'object' as const, properties: { question: { type: 'string' } }, required: ['question'] },
};
export const TOOLSET = {
  type: 'agent_toolset_20260401' as const,
  default_config: { enabled: true, permission_policy: { type: 'always_ask' as const } },
  configs: [
    {
      name: 'bash' as const,
      type: 'bash' as const,
      enabled: true,
      permission_policy: { type: 'always_allow' as const },
    },
    { name: 'write' as const, enabled: false },
  ],
};
/** A URL where no server listens. */
export const SERVER = { type: 'url' as const, name: 'tracker', url: 'https://tracker.invalid/mcp' };
export const MCP_TOOLSET = {
  type: 'mcp_toolset' as const,
  mcp_server_name: SERVER.name,
  default_config: { enabled: true, permission_policy: { type: 'auto' as const } },
  configs: [{ name: 'list_issues', enabled: true, permission_policy: { type: 'always_allow' as const } }],
};

export const AGENT: Everything<AgentCreateParams> = {
  name: 'Ada',
  model: { id: 'claude-opus-5', effort: 'low', speed: 'standard', inference_geo: 'us' },
  description: 'An agent.',
  system: 'You are Ada.',
  tools: [TOOLSET, TOOL, MCP_TOOLSET],
  mcp_servers: [SERVER],
  skills: [],
  multiagent: {
    type: 'multiagent_20261001',
    subagents: { type: 'enabled', inline_agents: { type: 'enabled' }, predefined_agents: [{ type: 'self' }] },
    workflows: { type: 'disabled' },
    advisor: { type: 'enabled', model: 'claude-opus-5-5' },
  },
  execution_identity: { type: 'service_account' },
  metadata: { team: 'a' },
};
export const AGENT_UPDATE: Everything<AgentUpdateParams> = {
  ...AGENT,
  name: 'Eve',
  description: null,
  system: '',
  metadata: { team: null, floor: '7' },
  version: 1,
};
export const ENVIRONMENT: Everything<EnvironmentCreateParams> = {
  name: 'lab',
  description: 'A lab.',
  config: {
    type: 'cloud',
    networking: {
      type: 'limited',
      allowed_hosts: ['example.com', '*.example.org'],
      allow_mcp_servers: true,
      allow_package_managers: true,
    },
    packages: { type: 'packages', apt: ['jq'], cargo: [], gem: [], go: [], npm: ['zod@4.6.7'], pip: null },
  },
  metadata: { team: 'a' },
  scope: 'organization',
};
export const ENVIRONMENT_UPDATE: Everything<EnvironmentUpdateParams> = {
  ...ENVIRONMENT,
  name: 'lab two',
  description: '',
  config: { type: 'cloud', networking: { type: 'unrestricted' } },
  metadata: { team: null, floor: '7' },
};
/** A budget needs prices, which this service does not have. */
export const SESSION: Everything<SessionCreateParams, 'agent' | 'environment_id' | 'budget'> = {
  title: 'A session',
  metadata: { team: 'a' },
  resources: [],
  vault_ids: [],
  initial_events: [MESSAGE],
};
/** `vault_ids` is always refused. */
export const SESSION_UPDATE: Everything<SessionUpdateParams, 'budget' | 'vault_ids'> = {
  title: 'Another title',
  metadata: { team: null, floor: '7' },
  agent: { tools: [TOOL, MCP_TOOLSET], mcp_servers: [SERVER] },
};
export const AGENTS: Everything<AgentListParams, 'page'> = {
  'created_at[gte]': PAST,
  'created_at[lte]': FUTURE,
  include_archived: true,
  limit: 1,
};
const RANGE = { 'created_at[gt]': PAST, 'created_at[gte]': PAST, 'created_at[lt]': FUTURE, 'created_at[lte]': FUTURE };
/** Filters by deployments and memory stores are not built. */
export const SESSIONS: Everything<SessionListParams, 'agent_id' | 'page' | 'deployment_id' | 'memory_store_id'> = {
  ...RANGE,
  agent_version: 1,
  include_archived: true,
  order: 'asc',
  statuses: ['idle', 'running', 'rescheduling', 'terminated'],
  limit: 1,
};
export const EVENTS: Everything<EventListParams, 'page'> = {
  ...RANGE,
  order: 'desc',
  types: ['user.message', 'agent.message', 'session.status_idle'],
  limit: 1,
};
export const CONTENT: UserMessage['content'] = [
  TEXT,
  { type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } },
  { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'A text.' }, title: 'A', context: 'B' },
];
