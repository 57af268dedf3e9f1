import * as z from 'zod';
import { Agent, AgentCreate, AgentUpdate } from '#contract/agents.ts';
import { AgentId } from '#contract/ids.ts';
import { pageOf } from '#contract/pages.ts';
import { AgentQuery, AgentsQuery, NoQuery, VersionsQuery } from '#contract/queries.ts';
import { brokenModel, brokenServers, brokenTools, tooLarge } from '#core/tools/agent-rules.ts';
import { resolveAgent } from '#core/agents/resolve.ts';
import { updateAgent } from '#core/agents/update.ts';
import { isRefusal, type RequestRefusal } from '#core/ports/refusal.ts';
import { fitting } from '../carried-bytes.ts';
import { decodeCursor, encodeCursor } from '../cursor.ts';
import { listRequest, recordPage } from '../record-page.ts';
import { notFound, operation } from '../operation.ts';
import { NoBody, NoParams } from './nothing.ts';

const Params = z.object({ agent_id: AgentId });

/** The version that a page ended with, which older ones follow. */
const VersionCursor = z.strictObject({
  list: AgentId,
  order: z.literal('desc'),
  at: z.null(),
  version: z.int().min(2),
});

const create = operation({
  method: 'POST',
  path: '/v1/agents',
  summary: 'Create an agent',
  params: NoParams,
  query: NoQuery,
  body: AgentCreate,
  response: Agent,
  async handle({ world, workspace, body }) {
    const agent = resolveAgent(body, AgentId.parse(`agent_${world.newToken()}`), world.stamp.now());
    const refusal = brokenModel(agent.model) ?? brokenTools(agent) ?? brokenServers(agent) ?? tooLarge(agent, 'body');
    if (refusal !== null) return refusal;
    await world.agents.create(workspace, agent);
    return agent;
  },
});

const retrieve = operation({
  method: 'GET',
  path: '/v1/agents/{agent_id}',
  summary: 'Retrieve an agent, its latest version unless one is named',
  params: Params,
  query: AgentQuery,
  body: NoBody,
  response: Agent,
  async handle({ world, workspace, params, query }) {
    return (await world.agents.find(workspace, params.agent_id, query.version)) ?? notFound('agent_id');
  },
});

const list = operation({
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

const update = operation({
  method: 'POST',
  path: '/v1/agents/{agent_id}',
  summary: 'Update an agent: any effective change makes a new version',
  params: Params,
  query: NoQuery,
  body: AgentUpdate,
  response: Agent,
  async handle({ world, workspace, params, body }) {
    return (await updateAgent(world, { workspace, id: params.agent_id }, body)) ?? notFound('agent_id');
  },
});

const archive = operation({
  method: 'POST',
  path: '/v1/agents/{agent_id}/archive',
  summary: 'Archive an agent: its sessions go on, new ones are refused',
  params: Params,
  query: NoQuery,
  body: NoBody,
  response: Agent,
  async handle({ world, workspace, params }) {
    return (await world.agents.archive(workspace, params.agent_id, world.stamp.now())) ?? notFound('agent_id');
  },
});

const listVersions = operation({
  method: 'GET',
  path: '/v1/agents/{agent_id}/versions',
  summary: "List an agent's versions, newest first",
  params: Params,
  query: VersionsQuery,
  body: NoBody,
  response: pageOf(Agent),
  async handle({ world, workspace, params: { agent_id: id }, query }) {
    const below = query.page === undefined ? null : placeOf(id, query.page);
    if (isRefusal(below)) return below;
    const found = await world.agents.versions(workspace, id, { below, limit: query.limit });
    if (found === null) return notFound('agent_id');
    const data = [...fitting(found.agents, (agent) => agent)];
    const last = data.at(-1);
    const more = found.more || data.length < found.agents.length;
    return { data, next_page: more && last !== undefined ? cursorOf(id, last.version) : null };
  },
});

function placeOf(id: AgentId, page: string): number | RequestRefusal {
  const cursor = decodeCursor(VersionCursor, page, { list: id, order: 'desc', range: { from: null, to: null } });
  return isRefusal(cursor) ? cursor : cursor.version;
}

function cursorOf(id: AgentId, version: number): string {
  const cursor: z.infer<typeof VersionCursor> = { list: id, order: 'desc', at: null, version };
  return encodeCursor(cursor);
}

export const agentOperations = [create, retrieve, update, list, archive, listVersions];
