/** The agents that a saved agent lists: what a request names is looked up, judged, and kept at one version. */
import type { Agent, SessionThreadAgent } from '#contract/agents.ts';
import type { AgentId, WorkspaceId } from '#contract/ids.ts';
import type { Multiagent, MultiagentInput } from '#contract/multiagent.ts';
import {
  isSelf,
  listsOf,
  mapListed,
  mergeMultiagent,
  pinName,
  type DraftEntry,
  type MultiagentOf,
} from '#core/agents/multiagent.ts';
import { threadAgentOf } from '#core/agents/resolve.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { AgentRecords } from '#core/ports/records.ts';

export interface Listing {
  readonly multiagent: Multiagent | null;
  /** By `pinName`, without the agent itself. */
  readonly listed: ReadonlyMap<string, SessionThreadAgent>;
  /** Those that name an environment in their metadata. */
  readonly environments: readonly NamedEnvironment[];
}

interface NamedEnvironment {
  readonly agent: AgentId;
  /** As it was written: metadata are not judged when an agent is saved. */
  readonly named: string;
}

/** The key of an agent's metadata: a thread of this agent works in a sandbox of its own, in the environment of that id. */
const ENVIRONMENT = 'brainstem_environment';

/** `agent` is as it was saved last. */
export async function listingOf(
  agents: Pick<AgentRecords, 'find'>,
  { workspace, agent }: { readonly workspace: WorkspaceId; readonly agent: Agent },
  input: MultiagentInput | null | undefined,
): Promise<Listing | RequestRefusal> {
  const draft = mergeMultiagent(agent.multiagent, input);
  if (draft === null) return { multiagent: null, listed: new Map(), environments: [] };
  const entries = listsOf(draft).flatMap((list) => list.entries);
  const found = new Map<DraftEntry, Agent | null>();
  await Promise.all(
    entries.map(async (entry) => {
      const { id, version } = referenceOf(entry, agent);
      const isOwn = id === agent.id && version === agent.version;
      found.set(entry, isOwn ? agent : await agents.find(workspace, id, version));
    }),
  );
  const multiagent = pinListed(draft, agent, found);
  if (isRefusal(multiagent)) return multiagent;
  const known = [...found.values()].flatMap((one) => (one === null || one === agent ? [] : [one]));
  const environments = known.flatMap(({ id, metadata: { [ENVIRONMENT]: named } }) =>
    named === undefined ? [] : [{ agent: id, named }],
  );
  return {
    multiagent,
    environments,
    listed: new Map(known.map((one) => [pinName(one), threadAgentOf(one, one.skills)])),
  };
}

interface Reference {
  readonly id: AgentId;
  readonly version?: number | undefined;
}

/** Without a version it is the latest, which of the agent itself is the one that the request makes. */
function referenceOf(entry: DraftEntry, owner: Agent): Reference {
  if (entry.type === 'kept') return entry.pin;
  const { asked } = entry;
  const { id, version }: Reference = typeof asked === 'string' ? { id: asked } : 'id' in asked ? asked : owner;
  return { id, version: version ?? (id === owner.id ? owner.version : undefined) };
}

function pinListed(
  draft: MultiagentOf<DraftEntry>,
  owner: Agent,
  found: ReadonlyMap<DraftEntry, Agent | null>,
): Multiagent | RequestRefusal {
  for (const { field, entries } of listsOf(draft)) {
    const agents = entries.map((entry) => found.get(entry) ?? null);
    const rules = entries.map(
      (entry, index) => brokenEntry(entry, agents[index] ?? null, owner) ?? repeated(agents, index),
    );
    const broken = rules.findIndex((rule) => rule !== null);
    if (broken >= 0) return refuse('invalid_request_error', `multiagent.${field}.${broken}: ${rules[broken]}`);
  }
  return mapListed(draft, (entry) => {
    const agent = found.get(entry);
    if (agent === undefined || agent === null) throw new TypeError('each entry was found');
    return { type: 'agent', id: agent.id, version: agent.version };
  });
}

/** An agent that is archived later, or lists agents from a later version on, stays in the lists that it is in. */
function brokenEntry(entry: DraftEntry, agent: Agent | null, owner: Agent): string | null {
  if (agent === null) return 'there is no such agent, or it has no such version';
  if (entry.type === 'kept' || isSelf(agent, owner)) return null;
  if (agent.archived_at !== null) return 'the agent is archived';
  return agent.multiagent === null ? null : 'the agent has a `multiagent` itself, so no other agent may list it';
}

function repeated(agents: readonly (Agent | null)[], index: number): string | null {
  const first = agents.findIndex((agent) => agent?.id === agents[index]?.id);
  return first < index ? 'is the agent of an earlier entry' : null;
}
