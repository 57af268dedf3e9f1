/** A `multiagent` as it is saved: how an update changes it, and what stands for the agents that it lists. */
import type { SessionAgent } from '#contract/agents.ts';
import type { ListedInput, Multiagent, MultiagentInput, PinnedAgent } from '#contract/multiagent.ts';

type Form<Type extends Multiagent['type']> = Extract<Multiagent, { type: Type }>;
type Advisor = Extract<Form<'coordinator'>['agents'][number], { type: 'advisor' }>;

type SpawningOf<Member> =
  | { type: 'enabled'; inline_agents: { type: 'enabled' | 'disabled' }; predefined_agents: Member[] }
  | { type: 'disabled' };

/** `Member` stands for a listed agent: its pin, its definition, or what a request says of it. */
export type MultiagentOf<Member> =
  | { type: 'coordinator'; agents: (Member | Advisor)[] }
  | (Pick<Form<'multiagent_20261001'>, 'type' | 'advisor'> & {
      subagents: SpawningOf<Member>;
      workflows: SpawningOf<Member>;
    });

/** An entry of a list before it is resolved. An entry that the request does not send keeps its version. */
export type DraftEntry =
  | { readonly type: 'kept'; readonly pin: PinnedAgent }
  | { readonly type: 'sent'; readonly asked: ListedInput };

const kept = (pin: PinnedAgent): DraftEntry => ({ type: 'kept', pin });
const sent = (asked: ListedInput): DraftEntry => ({ type: 'sent', asked });

const ENABLED: Extract<SpawningOf<PinnedAgent>, { type: 'enabled' }> = {
  type: 'enabled',
  inline_agents: { type: 'enabled' },
  predefined_agents: [],
};
const DEFAULTS: Form<'multiagent_20261001'> = {
  type: 'multiagent_20261001',
  subagents: ENABLED,
  workflows: ENABLED,
  advisor: { type: 'disabled' },
};

/**
 * The newer form is merged into a saved one of that form, level by level: omitted stays, null is the default, a list and an
 * object of another `type` replace. Every other setting replaces the saved one.
 */
export function mergeMultiagent(
  saved: Multiagent | null,
  input: MultiagentInput | null | undefined,
): MultiagentOf<DraftEntry> | null {
  if (input === null) return null;
  if (input === undefined) return saved === null ? null : mapListed(saved, kept);
  if (input.type === 'coordinator') return { type: input.type, agents: entriesOf(input.agents) };
  const { subagents, workflows, advisor } = saved?.type === input.type ? saved : DEFAULTS;
  return {
    type: input.type,
    subagents: mergeSpawning(subagents, input.subagents),
    workflows: mergeSpawning(workflows, input.workflows),
    advisor: input.advisor === undefined ? advisor : (input.advisor ?? DEFAULTS.advisor),
  };
}

/** The advisor is the last one, wherever it was sent. */
function entriesOf(entries: readonly (ListedInput | Advisor)[]): (DraftEntry | Advisor)[] {
  const agents = entries.filter((entry): entry is ListedInput => !isAdvisorInput(entry));
  return [...agents.map(sent), ...entries.filter(isAdvisorInput)];
}

function isAdvisorInput(entry: ListedInput | Advisor): entry is Advisor {
  return typeof entry === 'object' && entry.type === 'advisor';
}

/** The model that a request sets as advisor, if it sets one. */
export function advisorModel(input: MultiagentInput | null | undefined): string | null {
  if (input?.type === 'coordinator') return input.agents.find(isAdvisorInput)?.model ?? null;
  return input?.advisor?.type === 'enabled' ? input.advisor.model : null;
}

function mergeSpawning(
  saved: SpawningOf<PinnedAgent>,
  input: Extract<MultiagentInput, { type: 'multiagent_20261001' }>['subagents'],
): SpawningOf<DraftEntry> {
  if (input === undefined) return mapSpawning(saved, kept);
  if (input === null) return mapSpawning(ENABLED, kept);
  if (input.type === 'disabled') return input;
  const base = saved.type === 'enabled' ? saved : ENABLED;
  const { inline_agents: inline, predefined_agents: listed } = input;
  return {
    type: 'enabled',
    inline_agents: inline === undefined ? base.inline_agents : { type: inline?.type ?? 'enabled' },
    predefined_agents: listed === undefined ? base.predefined_agents.map(kept) : (listed ?? []).map(sent),
  };
}

interface List<Member> {
  /** Its path in the `multiagent`. */
  readonly field: string;
  readonly entries: readonly Member[];
}

/** The lists of agents, without an advisor. */
export function listsOf<Member extends { readonly type: string }>(
  multiagent: MultiagentOf<Member>,
): readonly List<Member>[] {
  if (multiagent.type === 'coordinator') {
    return [{ field: 'agents', entries: multiagent.agents.flatMap((entry) => (isAdvisor(entry) ? [] : [entry])) }];
  }
  return (['subagents', 'workflows'] as const).flatMap((member) => {
    const spawning = multiagent[member];
    const field = `${member}.predefined_agents`;
    return spawning.type === 'disabled' ? [] : [{ field, entries: spawning.predefined_agents }];
  });
}

export function mapListed<From extends { readonly type: string }, To>(
  multiagent: MultiagentOf<From>,
  map: (member: From) => To,
): MultiagentOf<To> {
  if (multiagent.type === 'coordinator') {
    const agents = multiagent.agents.map((entry) => (isAdvisor(entry) ? entry : map(entry)));
    return { type: multiagent.type, agents };
  }
  const { type, subagents, workflows, advisor } = multiagent;
  return { type, subagents: mapSpawning(subagents, map), workflows: mapSpawning(workflows, map), advisor };
}

function isAdvisor<Member extends { readonly type: string }>(entry: Member | Advisor): entry is Advisor {
  return entry.type === 'advisor';
}

function mapSpawning<From, To>(spawning: SpawningOf<From>, map: (member: From) => To): SpawningOf<To> {
  if (spawning.type === 'disabled') return spawning;
  return { ...spawning, predefined_agents: spawning.predefined_agents.map(map) };
}

export function pinName({ id, version }: Pick<PinnedAgent, 'id' | 'version'>): string {
  return `${id} v${version}`;
}

/**
 * An agent lists itself at its own version, in each of its versions, so that entry is told from one of an earlier version.
 */
export function isSelf(
  listed: Pick<PinnedAgent, 'id' | 'version'>,
  owner: Pick<PinnedAgent, 'id' | 'version'>,
): boolean {
  return pinName(listed) === pinName(owner);
}

/** A session's agent lists a copy of itself as it is in this session. */
export function withOwnCopy({ multiagent, ...own }: SessionAgent): SessionAgent {
  if (multiagent === null) return { ...own, multiagent };
  return { ...own, multiagent: mapListed(multiagent, (listed) => (isSelf(listed, own) ? own : listed)) };
}
