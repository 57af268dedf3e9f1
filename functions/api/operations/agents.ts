import * as z from 'zod';
import { Agent, AgentCreate, AgentUpdate } from '#contract/agents.ts';
import { AgentId } from '#contract/ids.ts';
import { pageOf } from '#contract/pages.ts';
import { AgentQuery, AgentsQuery, VersionsQuery } from '#contract/queries.ts';
import {
  brokenModel,
  brokenServers,
  brokenSkills,
  brokenTools,
  retiredModel,
  tooLarge,
} from '#core/tools/agent-rules.ts';
import { advisorModel } from '#core/agents/multiagent.ts';
import { listingOf } from '#core/agents/listing.ts';
import { resolveAgent, resolveSkills } from '#core/agents/resolve.ts';
import { brokenListing, updateAgent } from '#core/agents/update.ts';
import { unknownSkill } from '#core/skills/session-skills.ts';
import { isRefusal, type RequestRefusal } from '#core/ports/errors.ts';
import type { ApiWorld } from '../api-world.ts';
import { keyedPages } from '../cursor.ts';
import { notFound, operation } from '../operation.ts';
import { forwardPage } from '../record-page.ts';

const Params = z.object({ agent_id: AgentId });

/** The model of the agent, or that of its advisor, when the request sets it. */
function retiredIn(
  retired: ApiWorld['retiredModels'],
  { model, multiagent }: Pick<AgentUpdate, 'model' | 'multiagent'>,
): RequestRefusal | null {
  return retiredModel(retired, model) ?? retiredModel(retired, advisorModel(multiagent), "multiagent: the advisor's ");
}

const versionPages = keyedPages('desc', z.int().min(2));

const create = operation({
  route: 'POST /v1/agents',
  summary: 'Create an agent',
  body: AgentCreate,
  response: Agent,
  async handle({ world, workspace, body }) {
    const retired = retiredIn(world.retiredModels, body);
    if (retired !== null) return retired;
    const alone = resolveAgent(body, AgentId.parse(`agent_${world.newToken()}`), world.stamp.now());
    const listing = await listingOf(world.agents, { workspace, agent: alone }, body.multiagent);
    if (isRefusal(listing)) return listing;
    const agent = { ...alone, multiagent: listing.multiagent };
    const broken = brokenModel(agent.model) ?? brokenTools(agent) ?? brokenServers(agent) ?? brokenSkills(agent);
    const refusal =
      broken ??
      tooLarge(agent, 'body') ??
      brokenListing(agent, listing.listed) ??
      (await unknownSkill(world.skills, workspace, agent.skills));
    if (refusal !== null) return refusal;
    await world.agents.create(workspace, agent);
    return agent;
  },
});

const retrieve = operation({
  route: 'GET /v1/agents/{agent_id}',
  summary: 'Retrieve an agent, its latest version unless one is named',
  params: Params,
  query: AgentQuery,
  response: Agent,
  async handle({ world, workspace, params, query }) {
    return (await world.agents.find(workspace, params.agent_id, query.version)) ?? notFound('agent_id');
  },
});

const list = operation({
  route: 'GET /v1/agents',
  summary: 'List agents, newest first',
  query: AgentsQuery,
  response: pageOf(Agent),
  handle: (call) => forwardPage('agents', call, (request) => call.world.agents.list(request)),
});

const update = operation({
  route: 'POST /v1/agents/{agent_id}',
  summary: 'Update an agent: any effective change makes a new version',
  params: Params,
  body: AgentUpdate,
  response: Agent,
  async handle({ world, workspace, params, body }) {
    const retired = retiredIn(world.retiredModels, body);
    if (retired !== null) return retired;
    // Skills that the update does not name were judged when they were saved, and again when a session is created.
    const unknown = await unknownSkill(world.skills, workspace, resolveSkills(body.skills));
    if (unknown !== null) return unknown;
    return (await updateAgent(world, { workspace, id: params.agent_id }, body)) ?? notFound('agent_id');
  },
});

const archive = operation({
  route: 'POST /v1/agents/{agent_id}/archive',
  summary: 'Archive an agent: its sessions go on, new ones are refused',
  params: Params,
  response: Agent,
  async handle({ world, workspace, params }) {
    return (await world.agents.archive(workspace, params.agent_id, world.stamp.now())) ?? notFound('agent_id');
  },
});

const listVersions = operation({
  route: 'GET /v1/agents/{agent_id}/versions',
  summary: "List an agent's versions, newest first",
  params: Params,
  query: VersionsQuery,
  response: pageOf(Agent),
  async handle({ world, workspace, params: { agent_id: id }, query }) {
    const below = versionPages.follows(id, query.page);
    if (isRefusal(below)) return below;
    const found = await world.agents.versions(workspace, id, { below, limit: query.limit });
    if (found === null) return notFound('agent_id');
    return versionPages.page(id, { rows: found.agents, more: found.more }, (agent) => agent.version);
  },
});

export const agentOperations = [create, retrieve, update, list, archive, listVersions];
