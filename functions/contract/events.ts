/** Session events: exactly the wire shapes of the API. */
import * as z from 'zod';
import { SessionAgent } from './agents.ts';
import {
  Content,
  isBlank,
  SystemContent,
  TextBlock,
  ToolContent,
  ToolResultInput,
  UserContent,
  wellFormed,
} from './content.ts';
import { CredentialId, EventId, FileId, Instant, OutcomeId, ThreadId, VaultId } from './ids.ts';
import { McpErrorType } from './mcp.ts';
import { Metadata } from './metadata.ts';
import { notYetType } from './not-yet.ts';
import { RepositoryErrorType } from './repositories.ts';
import { ModelUsage, Usage } from './usage.ts';

const idOf = (type: string) =>
  type.replaceAll(/(^|[._])([a-z])/g, (_match, _dot, letter: string) => letter.toUpperCase()) + 'Event';

const event = <Type extends string, Shape extends z.core.$ZodLooseShape>(type: Type, shape: Shape) =>
  z.object({ id: EventId, type: z.literal(type), processed_at: Instant, ...shape }).meta({ id: idOf(type) });

/** Appears twice: with a null `processed_at` when it is accepted, and under the same id when it takes effect. */
const acceptedEvent = <Type extends string, Shape extends z.core.$ZodLooseShape>(type: Type, shape: Shape) =>
  z.object({ id: EventId, type: z.literal(type), processed_at: Instant.nullable(), ...shape }).meta({ id: idOf(type) });

export const UserMessage = acceptedEvent('user.message', { content: Content });
export type UserMessage = z.infer<typeof UserMessage>;

export const SystemMessage = acceptedEvent('system.message', { content: z.array(TextBlock) });
export type SystemMessage = z.infer<typeof SystemMessage>;

/** A message of another thread: a task to a child thread, or a child's report to the primary thread. */
export const ThreadMessage = event('agent.thread_message_received', {
  from_session_thread_id: ThreadId,
  /** Absent when the primary thread sent it. */
  from_agent_name: z.string().optional(),
  content: z.array(TextBlock),
});
export type ThreadMessage = z.infer<typeof ThreadMessage>;

/** A message that waits until the agent takes it. */
export type QueuedMessage = UserMessage | SystemMessage | ThreadMessage;

export const StopReason = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('end_turn') }),
    /** Tool uses that wait for a confirmation or for the client's result. */
    z.object({ type: z.literal('requires_action'), event_ids: z.array(EventId) }),
    z.object({ type: z.literal('retries_exhausted') }),
    z.object({ type: z.literal('refusal') }),
  ])
  .meta({ id: 'StopReason' });
export type StopReason = z.infer<typeof StopReason>;

export const RefusalCategory = z.enum(['cyber', 'bio', 'frontier_llm', 'reasoning_extraction', 'general_harms']);
export type RefusalCategory = z.infer<typeof RefusalCategory>;

export const StopDetails = z
  .object({ type: z.literal('refusal'), category: RefusalCategory.nullable(), explanation: z.string().nullable() })
  .nullable();
export type StopDetails = z.infer<typeof StopDetails>;

/** Errors that end a model request, or a turn. */
export const TurnErrorType = z.enum([
  'unknown_error',
  'model_overloaded_error',
  'model_rate_limited_error',
  'model_request_failed_error',
  'billing_error',
  'tool_use_limit_reached_error',
  'compaction_limit_reached_error',
]);
export type TurnErrorType = z.infer<typeof TurnErrorType>;

const told = {
  message: z.string(),
  retry_status: z.object({ type: z.enum(['retrying', 'exhausted', 'terminal']) }),
};

export const SessionErrorBody = z
  .discriminatedUnion('type', [
    z.object({ type: TurnErrorType, ...told }),
    /** The session goes on without the server's tools. */
    z.object({ type: McpErrorType, mcp_server_name: z.string(), ...told }),
    /** The sandbox reaches none of the credential's hosts. The session goes on, and the secret goes nowhere. */
    z.object({
      type: z.literal('credential_host_unreachable_error'),
      credential_id: CredentialId,
      vault_id: VaultId,
      ...told,
    }),
    /** The session goes on without the repository. */
    z.object({ type: RepositoryErrorType, repository_url: z.string().nullable(), ...told }),
  ])
  .meta({ id: 'SessionErrorBody' });
export type SessionErrorBody = z.infer<typeof SessionErrorBody>;

/** How a permission policy judged a tool call; absent when no policy did, because the tool is not enabled. */
export const Evaluation = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('always_allow') }),
    z.object({ type: z.literal('always_ask') }),
    z.object({
      type: z.literal('auto'),
      evaluated_permission: z.object({ type: z.literal('ask'), reason_code: z.literal('indeterminate') }),
    }),
  ])
  .meta({ id: 'Evaluation' });
export type Evaluation = z.infer<typeof Evaluation>;

const use = {
  name: z.string(),
  input: z.record(z.string(), z.unknown()),
  evaluated_permission: z.enum(['allow', 'ask', 'deny']),
  evaluation: Evaluation.optional(),
};

/** What an evaluation came to. After `needs_revision` another one follows. */
export const OutcomeResult = z
  .enum(['satisfied', 'needs_revision', 'max_iterations_reached', 'failed', 'interrupted'])
  .meta({ id: 'OutcomeResult' });
export type OutcomeResult = z.infer<typeof OutcomeResult>;

/** What the agent is to achieve, and how the grader judges it. */
export const OutcomeDefinition = z.object({
  outcome_id: OutcomeId,
  description: z.string(),
  rubric: z.object({ type: z.literal('text'), content: z.string() }),
  max_iterations: z.int().min(1),
});
export type OutcomeDefinition = z.infer<typeof OutcomeDefinition>;

/** `iteration` counts the evaluations of an outcome from 0. */
const evaluation = { outcome_id: OutcomeId, iteration: z.int().min(0) };

const stop = { stop_reason: StopReason, stop_details: StopDetails };
const thread = { session_thread_id: ThreadId, agent_name: z.string() };
/** Set on the copy of a child thread's event that the session's stream tells. */
const copied = { session_thread_id: ThreadId.optional() };

export const SessionEvent = z
  .discriminatedUnion('type', [
    UserMessage,
    SystemMessage,
    acceptedEvent('user.interrupt', { session_thread_id: ThreadId.optional() }),
    acceptedEvent('user.tool_confirmation', {
      tool_use_id: EventId,
      result: z.enum(['allow', 'deny']),
      deny_message: z.string().optional(),
      ...copied,
    }),
    event('user.custom_tool_result', {
      custom_tool_use_id: EventId,
      content: ToolContent.optional(),
      is_error: z.boolean().optional(),
      ...copied,
    }),
    event('user.define_outcome', OutcomeDefinition.shape),
    event('agent.thinking', {}),
    event('agent.message', { content: z.array(TextBlock) }),
    event('agent.tool_use', { ...use, ...copied }),
    event('agent.tool_result', { tool_use_id: EventId, content: ToolContent, is_error: z.boolean() }),
    /** `name` as the server has it. */
    event('agent.mcp_tool_use', { mcp_server_name: z.string(), ...use, ...copied }),
    event('agent.mcp_tool_result', { mcp_tool_use_id: EventId, content: ToolContent, is_error: z.boolean() }),
    event('agent.custom_tool_use', { name: z.string(), input: z.record(z.string(), z.unknown()), ...copied }),
    event('agent.thread_message_sent', {
      to_session_thread_id: ThreadId,
      to_agent_name: z.string().optional(),
      content: z.array(TextBlock),
    }),
    ThreadMessage,
    event('agent.thread_context_compacted', {}),
    event('session.status_running', {}),
    event('session.status_idle', stop),
    event('session.status_rescheduled', {}),
    event('session.status_terminated', {}),
    event('session.error', { error: SessionErrorBody }),
    /** Only the changed fields. `metadata` is complete, and absent when it is empty. */
    event('session.updated', {
      title: z.string().nullable().optional(),
      metadata: Metadata.optional(),
      agent: SessionAgent.optional(),
    }),
    event('session.usage', { usage: Usage, budget: z.null() }),
    event('session.deleted', {}),
    event('session.thread_created', { ...thread, workflow_run_id: z.null() }),
    event('session.thread_status_running', thread),
    event('session.thread_status_idle', { ...thread, ...stop }),
    event('session.thread_status_rescheduled', thread),
    event('session.thread_status_terminated', thread),
    event('span.model_request_start', {}),
    event('span.model_request_end', {
      model_request_start_id: EventId,
      is_error: z.boolean(),
      model_usage: ModelUsage,
    }),
    event('span.outcome_evaluation_start', evaluation),
    /** One with each request to the grader. */
    event('span.outcome_evaluation_ongoing', evaluation),
    event('span.outcome_evaluation_end', {
      ...evaluation,
      /** Empty when no evaluation had begun. */
      outcome_evaluation_start_id: z.string(),
      result: OutcomeResult,
      explanation: z.string(),
      /** Of all requests to the grader in this evaluation. */
      usage: ModelUsage,
    }),
  ])
  .meta({ id: 'SessionEvent' });
export type SessionEvent = z.infer<typeof SessionEvent>;
export type SessionEventType = SessionEvent['type'];
export type EventOf<Type extends SessionEventType> = Extract<SessionEvent, { type: Type }>;

const ToolConfirmation = z
  .strictObject({
    type: z.literal('user.tool_confirmation'),
    tool_use_id: EventId,
    result: z.enum(['allow', 'deny']),
    deny_message: wellFormed(10_000).nullish(),
    session_thread_id: ThreadId.nullish(),
  })
  .refine((confirmation) => confirmation.result === 'deny' || confirmation.deny_message == null, {
    path: ['deny_message'],
    message: 'goes only with result "deny"',
  });

const ToolResult = notYetType(
  'user.tool_result',
  'user.tool_result belongs to self-hosted environments, which are not supported yet',
);

const MAX_DESCRIPTION_CHARS = 40_000;
export const MAX_RUBRIC_CHARS = 262_144;
const DEFAULT_ITERATIONS = 3;
const MAX_ITERATIONS = 20;
const SAYS_SOMETHING = 'must say something';

const DefineOutcome = z.strictObject({
  type: z.literal('user.define_outcome'),
  description: wellFormed(MAX_DESCRIPTION_CHARS).refine((text) => !isBlank(text), SAYS_SOMETHING),
  rubric: z.discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('text'),
      content: wellFormed(MAX_RUBRIC_CHARS).refine((text) => !isBlank(text), SAYS_SOMETHING),
    }),
    z.strictObject({ type: z.literal('file'), file_id: FileId }),
  ]),
  max_iterations: z
    .int()
    .min(1)
    .max(MAX_ITERATIONS)
    .nullish()
    .transform((iterations) => iterations ?? DEFAULT_ITERATIONS),
});
const UserMessageInput = z.strictObject({ type: z.literal('user.message'), content: UserContent });

/** An event that a client may send to a session. */
export const EventInput = z
  .discriminatedUnion('type', [
    UserMessageInput,
    z.strictObject({ type: z.literal('user.interrupt'), session_thread_id: ThreadId.nullish() }),
    ToolConfirmation,
    z.strictObject({
      type: z.literal('user.custom_tool_result'),
      custom_tool_use_id: EventId,
      content: ToolResultInput.nullish(),
      is_error: z.boolean().nullish(),
      session_thread_id: ThreadId.nullish(),
    }),
    z.strictObject({ type: z.literal('system.message'), content: SystemContent }),
    ToolResult,
    DefineOutcome,
  ])
  .meta({ id: 'EventInput' });
export type EventInput = z.infer<typeof EventInput>;

export const EventsSend = z.strictObject({ events: z.array(EventInput).min(1).max(100) }).meta({ id: 'EventsSend' });
export type EventsSend = z.infer<typeof EventsSend>;

/** What a session may be created with: the first messages of its first run. */
export const InitialEvents = z.array(z.discriminatedUnion('type', [UserMessageInput, DefineOutcome])).max(50);
export type InitialEvents = z.infer<typeof InitialEvents>;
