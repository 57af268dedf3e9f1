/** Agents. A field of a feature that this service does not have accepts only its empty value; the refusal says so. */
import * as z from 'zod';
import { AgentId, Instant } from './ids.ts';
import { McpServer, McpServersInput } from './mcp.ts';
import { Metadata, MetadataPatch } from './metadata.ts';
import { Multiagent, MultiagentInput, multiagentOf } from './multiagent.ts';
import { notYetType } from './not-yet.ts';
import { AgentSkill, AgentSkillsInput } from './skills.ts';
import { AgentTool, AgentToolsInput } from './tools.ts';
import { wellFormed } from './content.ts';

const EFFORTS = ['low', 'medium', 'high', 'xhigh', 'max'] as const;
const Effort = z.enum(EFFORTS);

export const ModelInput = z
  .union([
    z.string().min(1).max(256),
    z.strictObject({
      id: z.string().min(1).max(256),
      effort: z.union([Effort, z.strictObject({ type: Effort })]).nullish(),
      speed: z.enum(['standard', 'fast']).nullish(),
      inference_geo: z.enum(['us', 'global']).nullish(),
    }),
  ])
  .meta({ id: 'ModelInput' });
export type ModelInput = z.infer<typeof ModelInput>;

export const Model = z
  .object({
    id: z.string(),
    effort: z.object({ type: Effort }),
    speed: z.enum(['standard', 'fast']),
    inference_geo: z.enum(['us', 'global']).optional(),
  })
  .meta({ id: 'Model' });
export type Model = z.infer<typeof Model>;

const Name = z.string().min(1).max(256);

const System = wellFormed(100_000).nullish();

/** The fields that an update can clear, and one that is always refused. */
const clearable = {
  description: z.string().max(2048).nullish(),
  system: System,
  tools: AgentToolsInput.nullish(),
  mcp_servers: McpServersInput.nullish(),
  skills: AgentSkillsInput.nullish(),
  multiagent: MultiagentInput.nullish(),
  callable_agents: z.never('is the name of an earlier form: list the agents in "multiagent"').optional(),
  execution_identity: z
    .discriminatedUnion('type', [
      z.strictObject({ type: z.literal('service_account') }),
      notYetType('aws_role', 'an IAM role as execution identity is not supported yet: use "service_account"'),
    ])
    .nullish(),
};

export const AgentCreate = z
  .strictObject({ name: Name, model: ModelInput, ...clearable, metadata: Metadata.optional() })
  .meta({ id: 'AgentCreate' });
export type AgentCreate = z.infer<typeof AgentCreate>;

export const AgentUpdate = z
  .strictObject({
    name: Name.optional(),
    model: ModelInput.optional(),
    ...clearable,
    metadata: MetadataPatch.nullish(),
    version: z.int().min(1).optional(),
  })
  .meta({ id: 'AgentUpdate' });
export type AgentUpdate = z.infer<typeof AgentUpdate>;

/** What a session sets in place of the saved agent's fields. A null model is refused by name. */
export const AgentOverrides = z.strictObject({
  model: ModelInput.nullish(),
  system: System,
  tools: AgentToolsInput.nullish(),
  mcp_servers: McpServersInput.nullish(),
  skills: AgentSkillsInput.nullish(),
});
export type AgentOverrides = z.infer<typeof AgentOverrides>;

/** The fields of an agent that a thread works by. */
const definition = {
  id: AgentId,
  type: z.literal('agent'),
  version: z.int().min(1),
  name: z.string(),
  description: z.string().nullable(),
  system: z.string().nullable(),
  model: Model,
  tools: z.array(AgentTool),
  mcp_servers: z.array(McpServer),
  skills: z.array(AgentSkill),
  execution_identity: z.object({ type: z.literal('service_account') }),
};

export const Agent = z
  .object({
    ...definition,
    multiagent: Multiagent.nullable(),
    metadata: Metadata,
    created_at: Instant,
    updated_at: Instant,
    archived_at: Instant.nullable(),
  })
  .meta({ id: 'Agent' });
export type Agent = z.infer<typeof Agent>;

/** An agent as a thread of a session has it. */
export const SessionThreadAgent = z.object(definition).meta({ id: 'SessionThreadAgent' });
export type SessionThreadAgent = z.infer<typeof SessionThreadAgent>;

/** With the definitions of the agents that it lists, in the versions that it had pinned when the session was created. */
export const SessionMultiagent = multiagentOf(SessionThreadAgent).meta({ id: 'SessionMultiagent' });
export type SessionMultiagent = z.infer<typeof SessionMultiagent>;

export const SessionAgent = z
  .object({ ...definition, multiagent: SessionMultiagent.nullable() })
  .meta({ id: 'SessionAgent' });
export type SessionAgent = z.infer<typeof SessionAgent>;
