/** Agents (contract §2.1). Fields whose feature does not exist yet accept only their empty value, and say so. */
import * as z from 'zod';
import { AgentId, Instant } from './ids.ts';
import { Metadata } from './metadata.ts';
import { AgentTool, AgentToolsInput } from './tools.ts';

const EFFORTS = ['low', 'medium', 'high', 'xhigh', 'max'] as const;
const Effort = z.enum(EFFORTS);

const notYet = (what: string) => z.array(z.unknown()).max(0, `${what} are not supported yet: leave it out or send []`);

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

export const AgentCreate = z
  .strictObject({
    name: z.string().min(1).max(256),
    model: ModelInput,
    description: z.string().max(2048).nullish(),
    system: z.string().max(100_000).nullish(),
    tools: AgentToolsInput.nullish(),
    mcp_servers: notYet('MCP servers').nullish(),
    skills: notYet('skills').nullish(),
    multiagent: z.null('multi-agent configurations are not supported yet: leave it out or send null').optional(),
    execution_identity: z.strictObject({ type: z.literal('service_account') }).nullish(),
    metadata: Metadata.optional(),
  })
  .meta({ id: 'AgentCreate' });
export type AgentCreate = z.infer<typeof AgentCreate>;

/** The fields of an agent that a session takes a snapshot of. */
const definition = {
  id: AgentId,
  type: z.literal('agent'),
  version: z.int().min(1),
  name: z.string(),
  description: z.string().nullable(),
  system: z.string().nullable(),
  model: Model,
  tools: z.array(AgentTool),
  mcp_servers: z.array(z.never()),
  skills: z.array(z.never()),
  multiagent: z.null(),
  execution_identity: z.object({ type: z.literal('service_account') }),
};

export const Agent = z
  .object({
    ...definition,
    metadata: Metadata,
    created_at: Instant,
    updated_at: Instant,
    archived_at: Instant.nullable(),
  })
  .meta({ id: 'Agent' });
export type Agent = z.infer<typeof Agent>;

export const SessionAgent = z.object(definition).meta({ id: 'SessionAgent' });
export type SessionAgent = z.infer<typeof SessionAgent>;
