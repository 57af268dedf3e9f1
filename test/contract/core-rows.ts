/** Calls of the contract's operations: each once with its required parameters, and once with all. */
import type { AgentCreateParams } from '@anthropic-ai/sdk/resources/beta/agents/agents';
import type { BetaManagedAgentsEventParams } from '@anthropic-ai/sdk/resources/beta/sessions/events';
import type Anthropic from '@anthropic-ai/sdk';
import { expect } from 'vitest';
import { bash, calling, echo } from '#test/journeys/scripts.ts';
import { ofType, type Service } from '#test/journeys/service.ts';
import {
  AGENT,
  AGENT_UPDATE,
  AGENTS,
  CONTENT,
  ENVIRONMENT,
  ENVIRONMENT_UPDATE,
  EVENTS,
  HEADERS,
  MCP_TOOLSET,
  MESSAGE,
  OUTCOME,
  SERVER,
  SESSION,
  SESSION_UPDATE,
  SESSIONS,
  TEXT,
  TOOL,
  TOOLSET,
} from './core-parameters.ts';

/** The resources that a row uses, made through the same client. */
export interface Given {
  readonly service: Service;
  readonly client: Anthropic['beta'];
  agent(): Promise<string>;
  environment(): Promise<string>;
  session(): Promise<string>;
  /** A session in which the agent has called a tool and waits for the client. */
  waiting(tool: 'that asks' | 'of the client'): Promise<{ readonly session: string; readonly use: string }>;
}

export function givenBy(service: Service): Given {
  const client = service.client.beta;
  const made = async (tools: AgentCreateParams['tools'] = [], model = 'claude-opus-5') =>
    (await client.agents.create({ name: 'Ada', model, tools })).id;
  const environment = async () => (await client.environments.create({ name: 'lab' })).id;
  /** Sessions do not change their agent and environment, so all of them have the same ones. */
  const ofSessions = { agent: once(made), environment: once(environment) };
  const sessionOf = async (agent: string) =>
    (await client.sessions.create({ agent, environment_id: await ofSessions.environment() })).id;
  return {
    service,
    client,
    agent: () => made(),
    environment,
    session: async () => sessionOf(await ofSessions.agent()),
    async waiting(tool) {
      const asks = { ...TOOLSET, configs: [] };
      const session = await sessionOf(await made(tool === 'that asks' ? [asks] : [TOOL]));
      const call = tool === 'that asks' ? bash('true') : { name: TOOL.name, input: { question: 'Why?' } };
      service.standIn.script(calling(call));
      const seen = await service.converse(session, 'go');
      service.standIn.script(echo);
      const uses = [...ofType(seen, 'agent.tool_use'), ...ofType(seen, 'agent.custom_tool_use')];
      return { session, use: uses[0]?.id ?? '' };
    },
  };
}

function once<Made>(make: () => Promise<Made>): () => Promise<Made> {
  let made: Promise<Made> | undefined;
  return () => (made ??= make());
}

export interface Row {
  readonly name: string;
  readonly call: (given: Given) => Promise<unknown>;
  /** The fields of the response that repeat the request. */
  readonly shows: unknown;
}

export const row = (name: string, call: Row['call'], shows: unknown): Row => ({ name, call, shows });

export const page = { data: expect.any(Array) };
export const archived = { archived_at: expect.any(String) };

export const ROWS: readonly Row[] = [
  row('POST /v1/agents', ({ client }) => client.agents.create({ name: 'Ada', model: 'claude-opus-5' }), {
    version: 1,
    model: { id: 'claude-opus-5' },
  }),
  row('POST /v1/agents, everything', ({ client }) => client.agents.create({ ...AGENT, ...HEADERS }), {
    description: 'An agent.',
    system: 'You are Ada.',
    model: { id: 'claude-opus-5', effort: { type: 'low' }, speed: 'standard', inference_geo: 'us' },
    tools: [
      {
        type: 'agent_toolset_20260401',
        default_config: { enabled: true, permission_policy: { type: 'always_ask' } },
        configs: [
          { name: 'bash', type: 'bash', enabled: true, permission_policy: { type: 'always_allow' } },
          { name: 'write', type: 'write', enabled: false, permission_policy: { type: 'always_ask' } },
        ],
      },
      TOOL,
      MCP_TOOLSET,
    ],
    mcp_servers: [SERVER],
    multiagent: {
      ...AGENT.multiagent,
      subagents: { inline_agents: { type: 'enabled' }, predefined_agents: [{ type: 'agent', version: 1 }] },
    },
    metadata: { team: 'a' },
  }),
  row(
    'POST /v1/agents, a coordinator',
    async ({ client, agent }) => {
      const listed = await agent();
      return client.agents.create({
        name: 'Lead',
        model: 'claude-sonnet-5',
        multiagent: {
          type: 'coordinator',
          agents: [{ type: 'advisor', model: 'claude-opus-5' }, listed, { type: 'self' }],
        },
      });
    },
    {
      multiagent: {
        type: 'coordinator',
        agents: [{ version: 1 }, { type: 'agent', version: 1 }, { type: 'advisor', model: 'claude-opus-5' }],
      },
    },
  ),
  row('GET /v1/agents/{agent_id}', async ({ client, agent }) => client.agents.retrieve(await agent()), { name: 'Ada' }),
  row(
    'GET /v1/agents/{agent_id}, everything',
    async ({ client, agent }) => client.agents.retrieve(await agent(), { version: 1, ...HEADERS }),
    { version: 1 },
  ),
  row('POST /v1/agents/{agent_id}', async ({ client, agent }) => client.agents.update(await agent(), {}), {
    version: 1,
  }),
  row(
    'POST /v1/agents/{agent_id}, everything',
    async ({ client, agent }) => client.agents.update(await agent(), { ...AGENT_UPDATE, ...HEADERS }),
    {
      version: 2,
      name: 'Eve',
      description: null,
      system: null,
      tools: [{}, TOOL, MCP_TOOLSET],
      multiagent: { subagents: { predefined_agents: [{ type: 'agent', version: 2 }] } },
      metadata: { floor: '7' },
    },
  ),
  row('GET /v1/agents', ({ client }) => client.agents.list(), page),
  row(
    'GET /v1/agents, everything',
    async ({ client, agent }) => {
      await agent();
      await agent();
      const first = await client.agents.list({ ...AGENTS, ...HEADERS });
      return client.agents.list({ ...AGENTS, page: first.next_page, ...HEADERS });
    },
    { data: [{ name: 'Ada' }] },
  ),
  row(
    'POST /v1/agents/{agent_id}/archive',
    async ({ client, agent }) => client.agents.archive(await agent(), HEADERS),
    archived,
  ),
  row('GET /v1/agents/{agent_id}/versions', async ({ client, agent }) => client.agents.versions.list(await agent()), {
    data: [{ version: 1 }],
    next_page: null,
  }),
  row(
    'GET /v1/agents/{agent_id}/versions, everything',
    async ({ client, agent }) => {
      const id = await agent();
      await client.agents.update(id, { name: 'Eve' });
      const first = await client.agents.versions.list(id, { limit: 1 });
      return client.agents.versions.list(id, { limit: 1, page: first.next_page, ...HEADERS });
    },
    { data: [{ version: 1, name: 'Ada' }], next_page: null },
  ),

  row('POST /v1/environments', ({ client }) => client.environments.create({ name: 'lab' }), {
    config: { type: 'cloud', networking: { type: 'unrestricted' } },
  }),
  row('POST /v1/environments, everything', ({ client }) => client.environments.create({ ...ENVIRONMENT, ...HEADERS }), {
    description: 'A lab.',
    config: {
      ...ENVIRONMENT.config,
      packages: { type: 'packages', apt: ['jq'], cargo: [], gem: [], go: [], npm: ['zod@4.6.7'], pip: [] },
    },
    metadata: { team: 'a' },
  }),
  row(
    'GET /v1/environments/{environment_id}',
    async ({ client, environment }) => client.environments.retrieve(await environment(), HEADERS),
    { name: 'lab' },
  ),
  row(
    'POST /v1/environments/{environment_id}',
    async ({ client, environment }) => client.environments.update(await environment(), {}),
    { name: 'lab' },
  ),
  row(
    'POST /v1/environments/{environment_id}, everything',
    async ({ client, environment }) =>
      client.environments.update(await environment(), { ...ENVIRONMENT_UPDATE, ...HEADERS }),
    { name: 'lab two', description: '', metadata: { floor: '7' } },
  ),
  row('GET /v1/environments', ({ client }) => client.environments.list(), page),
  row(
    'GET /v1/environments, everything',
    async ({ client, environment }) => {
      await environment();
      await environment();
      const first = await client.environments.list({ include_archived: true, limit: 1 });
      return client.environments.list({ include_archived: true, limit: 1, page: first.next_page, ...HEADERS });
    },
    { data: [{ name: 'lab' }] },
  ),
  row(
    'DELETE /v1/environments/{environment_id}',
    async ({ client, environment }) => client.environments.delete(await environment(), HEADERS),
    { id: expect.stringMatching(/^env_/), type: 'environment_deleted' },
  ),
  row(
    'POST /v1/environments/{environment_id}/archive',
    async ({ client, environment }) => client.environments.archive(await environment(), HEADERS),
    archived,
  ),

  row(
    'POST /v1/sessions',
    async ({ client, agent, environment }) =>
      client.sessions.create({ agent: await agent(), environment_id: await environment() }),
    { status: 'idle', title: null },
  ),
  row(
    'POST /v1/sessions, of a version',
    async ({ client, agent, environment }) =>
      client.sessions.create({
        agent: { type: 'agent', id: await agent(), version: 1 },
        environment_id: await environment(),
      }),
    { agent: { version: 1 } },
  ),
  row(
    'POST /v1/sessions, of a coordinator',
    async ({ client, agent, environment }) => {
      const multiagent = { type: 'coordinator' as const, agents: [await agent(), { type: 'self' as const }] };
      const lead = await client.agents.create({ name: 'Lead', model: 'claude-sonnet-5', multiagent });
      const made = await client.sessions.create({
        agent: { type: 'agent_with_overrides', id: lead.id, system: 'Lead here.' },
        environment_id: await environment(),
      });
      return client.sessions.update(made.id, { agent: { tools: [TOOL] } });
    },
    {
      agent: {
        name: 'Lead',
        multiagent: {
          type: 'coordinator',
          agents: [{ name: 'Ada' }, { name: 'Lead', system: 'Lead here.', tools: [TOOL] }],
        },
      },
    },
  ),
  row(
    'POST /v1/sessions, everything',
    async ({ service, client, agent, environment }) => {
      const {
        metadata: _metadata,
        name: _name,
        description: _description,
        execution_identity: _identity,
        ...more
      } = AGENT;
      const { multiagent: _multiagent, ...overrides } = more;
      const vault = await client.vaults.create({ display_name: 'keys' });
      const made = await client.sessions.create({
        ...SESSION,
        vault_ids: [vault.id],
        agent: { type: 'agent_with_overrides', id: await agent(), version: 1, ...overrides },
        environment_id: await environment(),
        ...HEADERS,
      });
      await service.idle(made.id);
      return made;
    },
    {
      status: 'running',
      title: 'A session',
      metadata: { team: 'a' },
      agent: { system: 'You are Ada.', mcp_servers: [SERVER] },
    },
  ),
  row(
    'GET /v1/sessions/{session_id}',
    async ({ client, session }) => client.sessions.retrieve(await session(), HEADERS),
    { type: 'session' },
  ),
  row('POST /v1/sessions/{session_id}', async ({ client, session }) => client.sessions.update(await session(), {}), {
    title: null,
  }),
  row(
    'POST /v1/sessions/{session_id}, everything',
    async ({ client, session }) => client.sessions.update(await session(), { ...SESSION_UPDATE, ...HEADERS }),
    { title: 'Another title', metadata: { floor: '7' }, agent: { tools: [TOOL, MCP_TOOLSET], mcp_servers: [SERVER] } },
  ),
  row('GET /v1/sessions', ({ client }) => client.sessions.list(), page),
  row(
    'GET /v1/sessions, everything',
    async ({ client, agent, environment }) => {
      const of = { agent: await agent(), environment_id: await environment() };
      await client.sessions.create({ ...of, title: 'one' });
      await client.sessions.create({ ...of, title: 'two' });
      const asked = { ...SESSIONS, agent_id: of.agent };
      const first = await client.sessions.list(asked);
      return [first, await client.sessions.list({ ...asked, page: first.next_page, ...HEADERS })];
    },
    [
      { data: [{ title: 'one' }], prev_page: null },
      { data: [{ title: 'two' }], prev_page: expect.any(String) },
    ],
  ),
  row(
    'DELETE /v1/sessions/{session_id}',
    async ({ client, session }) => client.sessions.delete(await session(), HEADERS),
    { id: expect.stringMatching(/^sesn_/), type: 'session_deleted' },
  ),
  row(
    'POST /v1/sessions/{session_id}/archive',
    async ({ client, session }) => client.sessions.archive(await session(), HEADERS),
    { status: 'terminated', ...archived },
  ),

  row(
    'GET /v1/sessions/{session_id}/events',
    async ({ client, session }) => client.sessions.events.list(await session()),
    {
      data: [],
      next_page: null,
    },
  ),
  row(
    'GET /v1/sessions/{session_id}/events, everything',
    async ({ service, client, session }) => {
      const id = await session();
      await service.converse(id, 'hi');
      const first = await client.sessions.events.list(id, { ...EVENTS, ...HEADERS });
      return [first, await client.sessions.events.list(id, { ...EVENTS, page: first.next_page, ...HEADERS })];
    },
    [{ data: [{ type: 'session.status_idle' }] }, { data: [{ type: 'agent.message' }], next_page: expect.any(String) }],
  ),
  row(
    'POST /v1/sessions/{session_id}/events',
    async ({ service, session }) => sent(service, await session(), [MESSAGE]),
    { data: [{ type: 'user.message', processed_at: null }] },
  ),
  row(
    'POST /v1/sessions/{session_id}/events, user.message',
    async ({ service, session }) =>
      sent(service, await session(), [{ type: 'user.message', content: CONTENT }, MESSAGE]),
    { data: [{ content: CONTENT }, { content: [TEXT] }] },
  ),
  row(
    'POST /v1/sessions/{session_id}/events, user.interrupt',
    async ({ service, session }) =>
      sent(service, await session(), [{ type: 'user.interrupt', session_thread_id: null }, MESSAGE]),
    { data: [{ type: 'user.interrupt' }, { type: 'user.message' }] },
  ),
  row(
    'POST /v1/sessions/{session_id}/events, user.tool_confirmation',
    async ({ service, waiting }) => {
      const { session, use } = await waiting('that asks');
      return sent(service, session, [
        { type: 'user.tool_confirmation', tool_use_id: use, result: 'deny', deny_message: 'No.' },
      ]);
    },
    { data: [{ type: 'user.tool_confirmation', result: 'deny', deny_message: 'No.' }] },
  ),
  row(
    'POST /v1/sessions/{session_id}/events, user.custom_tool_result',
    async ({ service, waiting }) => {
      const { session, use } = await waiting('of the client');
      return sent(service, session, [
        { type: 'user.custom_tool_result', custom_tool_use_id: use, content: [TEXT], is_error: false },
      ]);
    },
    { data: [{ type: 'user.custom_tool_result', content: [TEXT], is_error: false, processed_at: expect.any(String) }] },
  ),
  row(
    'POST /v1/sessions/{session_id}/events, user.define_outcome',
    async ({ service, client, session }) => {
      const id = await session();
      const answer = await sent(service, id, [OUTCOME]);
      return [answer, await client.sessions.retrieve(id, HEADERS)];
    },
    [
      { data: [{ ...OUTCOME, outcome_id: expect.stringMatching(/^outc_/) }] },
      { outcome_evaluations: [{ description: OUTCOME.description, iteration: 0, result: 'failed' }] },
    ],
  ),
  row(
    'POST /v1/sessions/{session_id}/events, system.message',
    async ({ service, session }) =>
      sent(service, await session(), [MESSAGE, { type: 'system.message', content: [TEXT] }]),
    { data: [{ type: 'user.message' }, { type: 'system.message', content: [TEXT] }] },
  ),
  row(
    'GET /v1/sessions/{session_id}/events/stream',
    async ({ service, session }) => (await service.converse(await session(), 'hi')).at(-1),
    { type: 'session.status_idle' },
  ),
  row(
    'GET /v1/sessions/{session_id}/events/stream, everything',
    async ({ service, client, session }) => {
      const id = await session();
      const asked = { event_deltas: ['agent.message' as const, 'agent.thinking' as const], ...HEADERS };
      const stream = await client.sessions.events.stream(id, asked);
      await service.send(id, 'hi');
      for await (const event of stream) if (event.type === 'session.status_idle') return event;
      return null;
    },
    { type: 'session.status_idle' },
  ),
];

/** Sends the events and waits until the session has handled them, so that the next row is not disturbed. */
async function sent(service: Service, session: string, events: BetaManagedAgentsEventParams[]): Promise<unknown> {
  const answer = await service.client.beta.sessions.events.send(session, { events, ...HEADERS });
  await service.idle(session);
  return answer;
}
