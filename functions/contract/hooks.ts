/**
 * What a customer's own functions are asked before and after an MCP call, in the words of Arcade's contextual access, so
 * that a hook written for one serves the other. Tokens are never among it.
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
  /** Told to the model. */
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

/** Names of the functions, for those there are. */
export const HookSettings = z.strictObject({
  pre: z.string().nullable(),
  post: z.string().nullable(),
  /** Whether a call goes on when its hook does not answer. */
  failOpen: z.boolean(),
});
export type HookSettings = z.infer<typeof HookSettings>;
