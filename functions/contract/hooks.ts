/**
 * Requests to a customer's own functions before and after an MCP call, and their answers. The fields are those of
 * Arcade's contextual access, so that one hook serves both. No token is in any of them.
 */
import * as z from 'zod';
import { AgentId, EventId, SessionId, ThreadId, WorkspaceId } from './ids.ts';

const call = {
  /** The tool use in the session's log. */
  execution_id: EventId,
  tool: z.object({ name: z.string(), server: z.string(), server_url: z.string() }),
  inputs: z.record(z.string(), z.unknown()),
  context: z.object({
    user_id: z.string().nullable(),
    workspace: WorkspaceId,
    session: SessionId,
    thread: ThreadId,
    agent: z.object({ id: AgentId, version: z.int(), name: z.string() }),
  }),
};

export const HookRequest = z.discriminatedUnion('hook', [
  z.object({ hook: z.literal('pre'), ...call }),
  z.object({ hook: z.literal('post'), ...call, success: z.boolean(), output: z.string() }),
]);
export type HookRequest = z.infer<typeof HookRequest>;

const said = {
  code: z.enum(['OK', 'CHECK_FAILED', 'RATE_LIMIT_EXCEEDED']),
  /** The model reads it. */
  error_message: z.string().max(500).nullish(),
};

export const PreHookAnswer = z.object({
  ...said,
  override: z.object({ inputs: z.record(z.string(), z.unknown()).nullish() }).nullish(),
});
export type PreHookAnswer = z.infer<typeof PreHookAnswer>;

export const PostHookAnswer = z.object({
  ...said,
  override: z.object({ output: z.string().nullish() }).nullish(),
});
export type PostHookAnswer = z.infer<typeof PostHookAnswer>;

/** The functions' names; absent for a hook that the deployment does not have. */
export const HookSettings = z.strictObject({
  pre: z.string().nullable(),
  post: z.string().nullable(),
  /** Whether a call goes on when its hook does not answer. */
  failOpen: z.boolean(),
});
export type HookSettings = z.infer<typeof HookSettings>;
