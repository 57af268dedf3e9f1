/**
 * Whom an agent may give work to, in both forms of the API: `coordinator`, a list, and `multiagent_20261001`, three members that
 * are enabled or disabled one by one. Workflows are stored, and no agent starts one.
 */
import * as z from 'zod';
import { AgentId } from './ids.ts';

export const MULTIAGENT_TYPE = 'multiagent_20261001';
/** The name of the thread in which an agent asks its advisor. No agent of a list may have it. */
export const ADVISOR_NAME = 'anthropic.advisor';

const Advisor = z.object({ type: z.literal('advisor'), model: z.string() }).meta({ id: 'Advisor' });

const Disabled = z.object({ type: z.literal('disabled') });
const AdvisorMember = z.discriminatedUnion('type', [
  z.object({ type: z.literal('enabled'), model: z.string() }),
  Disabled,
]);

/** Of subagents and of workflows. Inline agents are those that the agent defines itself when it gives them work. */
const spawning = <Member extends z.ZodType>(member: Member) =>
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
      type: z.literal(MULTIAGENT_TYPE),
      subagents: spawning(member),
      workflows: spawning(member),
      advisor: AdvisorMember,
    }),
  ]);

/** A listed agent, at the version that it had when the list was saved. */
const PinnedAgent = z.object({ type: z.literal('agent'), id: AgentId, version: z.int().min(1) });
export type PinnedAgent = z.infer<typeof PinnedAgent>;

export const Multiagent = multiagentOf(PinnedAgent).meta({ id: 'Multiagent' });
export type Multiagent = z.infer<typeof Multiagent>;
