/** Session events: exactly the wire shapes of contract §3, for a session with one agent. */
import * as z from 'zod';
import { Content, TextBlock, UserContent } from './content.ts';
import { EventId, Instant, ThreadId } from './ids.ts';
import { ModelUsage, Usage } from './usage.ts';

const event = <Type extends string, Shape extends z.core.$ZodLooseShape>(type: Type, shape: Shape) =>
  z.object({ id: EventId, type: z.literal(type), processed_at: Instant, ...shape }).meta({
    id: type.replaceAll(/(^|[._])([a-z])/g, (_match, _dot, letter: string) => letter.toUpperCase()) + 'Event',
  });

/** `processed_at` is null while the message waits in the queue. */
export const UserMessage = z
  .object({ id: EventId, type: z.literal('user.message'), processed_at: Instant.nullable(), content: Content })
  .meta({ id: 'UserMessageEvent' });
export type UserMessage = z.infer<typeof UserMessage>;

export const StopReason = z
  .discriminatedUnion('type', [
    z.object({ type: z.literal('end_turn') }),
    z.object({ type: z.literal('retries_exhausted') }),
    z.object({ type: z.literal('refusal') }),
  ])
  .meta({ id: 'StopReason' });
export type StopReason = z.infer<typeof StopReason>;

export const StopDetails = z
  .object({ type: z.literal('refusal'), category: z.string().nullable(), explanation: z.string().nullable() })
  .nullable();
export type StopDetails = z.infer<typeof StopDetails>;

export const SessionErrorBody = z
  .object({
    type: z.enum([
      'unknown_error',
      'model_overloaded_error',
      'model_rate_limited_error',
      'model_request_failed_error',
      'billing_error',
      'tool_use_limit_reached_error',
    ]),
    message: z.string(),
    retry_status: z.object({ type: z.enum(['retrying', 'exhausted', 'terminal']) }),
  })
  .meta({ id: 'SessionErrorBody' });
export type SessionErrorBody = z.infer<typeof SessionErrorBody>;

const stop = { stop_reason: StopReason, stop_details: StopDetails };
const thread = { session_thread_id: ThreadId, agent_name: z.string() };

export const SessionEvent = z
  .discriminatedUnion('type', [
    UserMessage,
    event('agent.thinking', {}),
    event('agent.message', { content: z.array(TextBlock) }),
    event('agent.tool_use', {
      name: z.string(),
      input: z.record(z.string(), z.unknown()),
      evaluated_permission: z.enum(['allow', 'deny']),
      evaluation: z.object({ type: z.literal('always_allow') }).optional(),
    }),
    event('agent.tool_result', { tool_use_id: EventId, content: Content, is_error: z.boolean() }),
    event('session.status_running', {}),
    event('session.status_idle', stop),
    event('session.status_rescheduled', {}),
    event('session.status_terminated', {}),
    event('session.error', { error: SessionErrorBody }),
    event('session.usage', { usage: Usage, budget: z.null() }),
    event('session.deleted', {}),
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
  ])
  .meta({ id: 'SessionEvent' });
export type SessionEvent = z.infer<typeof SessionEvent>;
export type SessionEventType = SessionEvent['type'];
export type EventOf<Type extends SessionEventType> = Extract<SessionEvent, { type: Type }>;

/** Client events of the contract that are answered with 400 until their feature exists. */
const NOT_YET = [
  'user.interrupt',
  'user.tool_confirmation',
  'user.custom_tool_result',
  'user.tool_result',
  'user.define_outcome',
  'system.message',
] as const;

export const EventInput = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('user.message'), content: UserContent }),
    z
      .looseObject({ type: z.enum(NOT_YET) })
      .refine(() => false, `${NOT_YET.join(', ')} are not supported yet: send "user.message"`),
  ])
  .meta({ id: 'EventInput' });
export type UserMessageInput = { readonly type: 'user.message'; readonly content: UserContent };

export const EventsSend = z
  .strictObject({ events: z.array(EventInput).min(1).max(100) })
  .transform((body) => ({ events: body.events.filter((input): input is UserMessageInput => 'content' in input) }))
  .meta({ id: 'EventsSend' });
export type EventsSend = z.infer<typeof EventsSend>;
