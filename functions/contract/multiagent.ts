/**
 * Which agents an agent may give work to, in both forms of the API: `coordinator`, a list, and `multiagent_20261001`, three
 * members that are enabled or disabled one by one. Workflows are stored, and no agent starts one.
 */
import * as z from 'zod';
import { AgentId } from './ids.ts';

/** The name of the thread in which an agent asks its advisor. No listed agent may have it. */
export const ADVISOR_NAME = 'anthropic.advisor';
const MAX_LISTED = 20;

const ModelId = z.string().min(1).max(256);

/** The latest version, or the named one. `self` is the agent that has the list. */
const listed = [
  z.strictObject({ type: z.literal('agent'), id: AgentId, version: z.int().min(1).optional() }),
  z.strictObject({ type: z.literal('self') }),
] as const;
const ListedInput = z.union([AgentId, z.discriminatedUnion('type', [...listed])]);
export type ListedInput = z.infer<typeof ListedInput>;

const AdvisorInput = z.strictObject({ type: z.literal('advisor'), model: ModelId });

const isAdvisor = (entry: object | string) => typeof entry === 'object' && 'model' in entry;

const CoordinatorInput = z.strictObject({
  type: z.literal('coordinator'),
  agents: z
    .array(z.union([AgentId, z.discriminatedUnion('type', [...listed, AdvisorInput])]))
    .min(1)
    .max(MAX_LISTED)
    .refine((agents) => agents.filter(isAdvisor).length <= 1, 'must have at most one advisor'),
});

const DisabledInput = z.strictObject({ type: z.literal('disabled') });

const SpawningInput = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('enabled'),
    inline_agents: z.strictObject({ type: z.enum(['enabled', 'disabled']) }).nullish(),
    predefined_agents: z.array(ListedInput).max(MAX_LISTED).nullish(),
  }),
  DisabledInput,
]);

/** In an update of the same form, what is omitted stays. Null is the default. */
const MembersInput = z.strictObject({
  type: z.literal('multiagent_20261001'),
  subagents: SpawningInput.nullish(),
  workflows: SpawningInput.nullish(),
  advisor: z
    .discriminatedUnion('type', [z.strictObject({ type: z.literal('enabled'), model: ModelId }), DisabledInput])
    .nullish(),
});

export const MultiagentInput = z
  .discriminatedUnion('type', [CoordinatorInput, MembersInput])
  .meta({ id: 'MultiagentInput' });
export type MultiagentInput = z.infer<typeof MultiagentInput>;

const Advisor = z.object({ type: z.literal('advisor'), model: z.string() }).meta({ id: 'Advisor' });
const Disabled = z.object({ type: z.literal('disabled') });

/** Of subagents and of workflows. Inline agents are those that the agent defines itself when it gives them work. */
const spawningOf = <Member extends z.ZodType>(member: Member) =>
  z.discriminatedUnion('type', [
    z.object({
      type: z.literal('enabled'),
      inline_agents: z.object({ type: z.enum(['enabled', 'disabled']) }),
      predefined_agents: z.array(member),
    }),
    Disabled,
  ]);

/** `member` is what stands for a listed agent: in a saved agent a reference, in a session the whole definition. */
export const multiagentOf = <Member extends z.ZodType>(member: Member) =>
  z.discriminatedUnion('type', [
    z.object({ type: z.literal('coordinator'), agents: z.array(z.union([member, Advisor])) }),
    z.object({
      type: z.literal('multiagent_20261001'),
      subagents: spawningOf(member),
      workflows: spawningOf(member),
      advisor: z.discriminatedUnion('type', [z.object({ type: z.literal('enabled'), model: z.string() }), Disabled]),
    }),
  ]);

/** A listed agent, at the version that it had when the list was saved. */
const PinnedAgent = z.object({ type: z.literal('agent'), id: AgentId, version: z.int().min(1) });
export type PinnedAgent = z.infer<typeof PinnedAgent>;

export const Multiagent = multiagentOf(PinnedAgent).meta({ id: 'Multiagent' });
export type Multiagent = z.infer<typeof Multiagent>;
