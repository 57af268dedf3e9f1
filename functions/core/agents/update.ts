/** The next version of an agent: omitted stays, null and empty clear, a value replaces. */
import { Agent, type AgentUpdate } from '#contract/agents.ts';
import type { AgentId, Instant, WorkspaceId } from '#contract/ids.ts';
import { brokenModel, brokenServers, brokenSkills, brokenTools, tooLarge } from '#core/tools/agent-rules.ts';
import { resolveTools } from '#core/agents/resolve-tools.ts';
import { listingOf, type Listing } from '#core/agents/listing.ts';
import { isSelf, mapListed } from '#core/agents/multiagent.ts';
import { brokenMultiagent } from '#core/agents/multiagent-rules.ts';
import { emptyAsNull, replaceModel, resolveSkills, snapshotOf } from '#core/agents/resolve.ts';
import type { Ports } from '#core/ports/ports.ts';
import { METADATA_TOO_LARGE, patchMetadata } from '#core/requests/patch-metadata.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';

/** Before anything is looked up: a client with an old version learns of it, also when the update changes nothing. */
export function refusedUpdate(agent: Agent, update: AgentUpdate): RequestRefusal | null {
  if (agent.archived_at !== null) return refuse('invalid_request_error', 'agent_id: the agent is archived');
  return update.version === undefined || update.version === agent.version
    ? null
    : refuse('conflict_error', `version: the agent is at version ${agent.version}`);
}

interface Given extends Omit<Listing, 'environments'> {
  readonly now: Instant;
}

/** The agent itself when nothing changes. */
export function nextVersion(agent: Agent, update: AgentUpdate, given: Given): Agent | RequestRefusal {
  const metadata = patchMetadata(agent.metadata, update.metadata);
  if (metadata === null) return METADATA_TOO_LARGE;
  const { multiagent } = given;
  // The schema orders the keys as in the saved agent, so that the two compare as text.
  const changed = Agent.parse({ ...agent, ...changesOf(agent, update), multiagent, metadata });
  if (JSON.stringify(changed) === JSON.stringify(agent)) return agent;
  const next = { ...withNextVersion(changed), updated_at: given.now };
  // A model that was retired since is refused only in an update that sets the model.
  const broken = update.model === undefined ? null : brokenModel(next.model);
  const touchesTools = update.model !== undefined || update.tools !== undefined;
  return (
    broken ??
    (touchesTools ? brokenTools(next) : null) ??
    brokenServers(next) ??
    brokenSkills(next) ??
    tooLarge(next, 'body') ??
    brokenListing(next, given.listed) ??
    next
  );
}

function withNextVersion(agent: Agent): Agent {
  const version = agent.version + 1;
  const { multiagent } = agent;
  if (multiagent === null) return { ...agent, version };
  return {
    ...agent,
    version,
    multiagent: mapListed(multiagent, (pin) => (isSelf(pin, agent) ? { ...pin, version } : pin)),
  };
}

/** An agent with those that it lists, as a session would have them. */
export function brokenListing(agent: Agent, listed: Listing['listed']): RequestRefusal | null {
  if (agent.multiagent === null) return null;
  const snapshot = snapshotOf(agent, agent.skills, listed);
  return brokenMultiagent(snapshot) ?? tooLarge(snapshot, 'multiagent');
}

function changesOf(agent: Agent, update: AgentUpdate): Partial<Agent> {
  const { name, description, model, system, tools, mcp_servers: servers, skills } = update;
  return {
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description: emptyAsNull(description) }),
    ...(model === undefined ? {} : { model: replaceModel(agent.model, model) }),
    ...(system === undefined ? {} : { system: emptyAsNull(system) }),
    ...(tools === undefined ? {} : { tools: resolveTools(tools) }),
    ...(servers === undefined ? {} : { mcp_servers: servers ?? [] }),
    ...(skills === undefined ? {} : { skills: resolveSkills(skills) }),
  };
}

/**
 * Null when there is no such agent. When another request saved a version first, the update is decided again, so that
 * neither is lost.
 */
export async function updateAgent(
  { agents, stamp }: Pick<Ports, 'agents' | 'stamp'>,
  { workspace, id }: { readonly workspace: WorkspaceId; readonly id: AgentId },
  update: AgentUpdate,
): Promise<Agent | RequestRefusal | null> {
  for (;;) {
    const latest = await agents.find(workspace, id);
    if (latest === null) return null;
    const refused = refusedUpdate(latest, update);
    if (refused !== null) return refused;
    const listing = await listingOf(agents, { workspace, agent: latest }, update.multiagent);
    if (isRefusal(listing)) return listing;
    const next = nextVersion(latest, update, { now: stamp.now(), ...listing });
    if (next === latest || isRefusal(next)) return next;
    if ((await agents.saveNext(workspace, next)) === 'saved') return next;
  }
}
