/** Sessions. */
import * as z from 'zod';
import { AgentOverrides, SessionAgent, SessionThreadAgent } from './agents.ts';
import { InitialEvents, OutcomeResult } from './events.ts';
import { AgentId, EnvironmentId, Instant, OutcomeId, SessionId, ThreadId, VaultId } from './ids.ts';
import { Metadata, MetadataPatch } from './metadata.ts';
import { ResourceInputs, SessionResource } from './resources.ts';
import { Usage } from './usage.ts';

const version = z.int().min(1).optional();

/** The latest version, or the named one; overrides replace its fields in this session. */
export const AgentReference = z.union([
  AgentId,
  z.strictObject({ type: z.literal('agent'), id: AgentId, version }),
  z.strictObject({ type: z.literal('agent_with_overrides'), id: AgentId, version, ...AgentOverrides.shape }),
]);
export type AgentReference = z.infer<typeof AgentReference>;

const MAX_VAULTS = 50;

const Title = z.string().max(500);

/** A limit of a session's cost; `amount` is whole cents. It is refused, because this service knows no prices. */
const Budget = z.strictObject({
  type: z.literal('limit'),
  max_list_cost: z.strictObject({
    amount: z.string().regex(/^[1-9][0-9]{0,14}$/, 'must be a positive whole number of cents, as a string'),
    currency: z.literal('USD'),
  }),
});

export const SessionCreate = z
  .strictObject({
    agent: AgentReference,
    environment_id: EnvironmentId,
    title: Title.nullish(),
    metadata: Metadata.optional(),
    resources: ResourceInputs.nullish(),
    vault_ids: z.array(VaultId).max(MAX_VAULTS).nullish(),
    initial_events: InitialEvents.nullish(),
    budget: Budget.nullish(),
  })
  .meta({ id: 'SessionCreate' });
export type SessionCreate = z.infer<typeof SessionCreate>;

export const SessionUpdate = z
  .strictObject({
    title: Title.nullish(),
    metadata: MetadataPatch.nullish(),
    agent: AgentOverrides.pick({ tools: true, mcp_servers: true }).optional(),
    vault_ids: z.never('is reserved: vaults are chosen when a session is created').optional(),
    budget: Budget.nullish(),
  })
  .meta({ id: 'SessionUpdate' });
export type SessionUpdate = z.infer<typeof SessionUpdate>;

export const SessionStatus = z.enum(['idle', 'running', 'rescheduling', 'terminated']).meta({ id: 'SessionStatus' });
export type SessionStatus = z.infer<typeof SessionStatus>;

export const OutcomeEvaluation = z
  .object({
    type: z.literal('outcome_evaluation'),
    outcome_id: OutcomeId,
    description: z.string(),
    iteration: z.int().min(0),
    result: z.enum(['pending', 'running', 'evaluating', ...OutcomeResult.exclude(['needs_revision']).options]),
    /** Of the last evaluation. */
    explanation: z.string().nullable(),
    completed_at: Instant.nullable(),
  })
  .meta({ id: 'OutcomeEvaluation' });
export type OutcomeEvaluation = z.infer<typeof OutcomeEvaluation>;

export const Session = z
  .object({
    id: SessionId,
    type: z.literal('session'),
    agent: SessionAgent,
    status: SessionStatus,
    environment_id: EnvironmentId,
    title: z.string().nullable(),
    metadata: Metadata,
    resources: z.array(SessionResource),
    vault_ids: z.array(VaultId),
    budget: z.null(),
    usage: Usage,
    /** Seconds. */
    stats: z.object({ active_seconds: z.number().min(0), duration_seconds: z.number().min(0) }),
    outcome_evaluations: z.array(OutcomeEvaluation),
    deployment_id: z.null(),
    created_at: Instant,
    updated_at: Instant,
    archived_at: Instant.nullable(),
  })
  .meta({ id: 'Session' });
export type Session = z.infer<typeof Session>;

/** A thread's own agent. An advisor is a model without an agent; an inline agent is defined where it is used. */
export const ThreadAgent = z
  .discriminatedUnion('type', [
    SessionThreadAgent,
    SessionThreadAgent.omit({ id: true, version: true }).extend({ type: z.literal('inline') }),
    z.object({ type: z.literal('advisor'), model: z.string() }),
  ])
  .meta({ id: 'ThreadAgent' });
export type ThreadAgent = z.infer<typeof ThreadAgent>;

export const SessionThread = z
  .object({
    id: ThreadId,
    type: z.literal('session_thread'),
    session_id: SessionId,
    /** Null for the primary thread. */
    parent_thread_id: ThreadId.nullable(),
    workflow_run_id: z.null(),
    agent: ThreadAgent,
    status: SessionStatus,
    /** Of a child thread: null until it first rests. */
    usage: Usage.nullable(),
    /** Of a child thread: null until it first runs. */
    stats: Session.shape.stats.nullable(),
    created_at: Instant,
    updated_at: Instant,
    archived_at: Instant.nullable(),
  })
  .meta({ id: 'SessionThread' });
export type SessionThread = z.infer<typeof SessionThread>;

export const SessionDeleted = z
  .object({ id: SessionId, type: z.literal('session_deleted') })
  .meta({ id: 'SessionDeleted' });
export type SessionDeleted = z.infer<typeof SessionDeleted>;
