import * as z from 'zod';
import { Agent, AgentCreate } from '#contract/agents.ts';
import { AgentId } from '#contract/ids.ts';
import { pageOf } from '#contract/pages.ts';
import { AgentQuery, AgentsQuery, NoQuery } from '#contract/queries.ts';
import { resolveAgent } from '#core/agents/resolve.ts';
import { isRefusal, refuse } from '#core/requests/refusal.ts';
import { listRequest, recordPage } from '../record-page.ts';
import { notFound, operation } from '../operation.ts';
import { NoBody, NoParams } from './nothing.ts';

/** A session's row repeats its agent, beside title and metadata, in one DynamoDB item of 400 KB. */
const MAX_AGENT_BYTES = 340_000;

const createAgent = operation({
  method: 'POST',
  path: '/v1/agents',
  summary: 'Create an agent',
  params: NoParams,
  query: NoQuery,
  body: AgentCreate,
  response: Agent,
  async handle({ world, workspace, body }) {
    const agent = resolveAgent(body, AgentId.parse(`agent_${world.newToken()}`), world.stamp.now());
    if (Buffer.byteLength(JSON.stringify(agent)) > MAX_AGENT_BYTES) {
      return refuse('invalid_request_error', `system: the agent must take at most ${MAX_AGENT_BYTES} bytes as JSON`);
    }
    await world.agents.create(workspace, agent);
    return agent;
  },
});

const retrieveAgent = operation({
  method: 'GET',
  path: '/v1/agents/{agent_id}',
  summary: 'Retrieve an agent, its latest version unless one is named',
  params: z.object({ agent_id: AgentId }),
  query: AgentQuery,
  body: NoBody,
  response: Agent,
  async handle({ world, workspace, params, query }) {
    return (await world.agents.find(workspace, params.agent_id, query.version)) ?? notFound('agent_id');
  },
});

const listAgents = operation({
  method: 'GET',
  path: '/v1/agents',
  summary: 'List agents, newest first',
  params: NoParams,
  query: AgentsQuery,
  body: NoBody,
  response: pageOf(Agent),
  async handle({ world, workspace, query }) {
    const request = listRequest('agents', query, workspace);
    if (isRefusal(request)) return request;
    const found = await world.agents.list(request);
    const { data, next_page } = recordPage('agents', request, { found, view: (agent) => agent });
    return { data, next_page };
  },
});

export const agentOperations = [createAgent, retrieveAgent, listAgents];
