/** Hooks as Lambda functions of the customer. */
import type * as z from 'zod';
import { HookSettings, PostHookAnswer, PreHookAnswer, type HookRequest } from '#contract/hooks.ts';
import type { HookReply, HookedCall, Hooks } from '#core/ports/policy.ts';
import { withoutQuery } from '#core/vault/server-url.ts';
import { createInvoke, InvocationFailed } from '#aws/invoke.lambda.ts';
import { jsonSetting, type Env } from '#aws/settings.ts';

const TIMEOUT_MS = 5000;

const patience = () => AbortSignal.timeout(TIMEOUT_MS);

export function createHooks(env: Env, newSignal = patience): Hooks {
  const { pre, post, failOpen } = jsonSetting(env, 'MCP_HOOKS', HookSettings);
  // A repeat would take as long again, and a hook may have effects.
  const invoke = createInvoke(env, { retries: 0 });

  async function ask<Answer extends z.ZodType>(
    name: string | null,
    request: HookRequest,
    schema: Answer,
  ): Promise<HookReply<z.infer<Answer>>> {
    if (name === null) return { status: 'none' };
    try {
      const text = await invoke(name, { type: 'RequestResponse', input: request, signal: newSignal() });
      const answer = schema.safeParse(JSON.parse(text));
      return answer.success ? { status: 'answered', answer: answer.data } : silent('answered something else');
    } catch (cause) {
      if (cause instanceof InvocationFailed) return silent(cause.message);
      return silent(cause instanceof Error ? cause.name : 'unknown');
    }
  }

  return {
    failOpen,
    before: (call) => ask(pre, { hook: 'pre', ...told(call) }, PreHookAnswer),
    after: (call, result) => ask(post, { hook: 'post', ...told(call), ...result }, PostHookAnswer),
  };
}

function silent(detail: string): { readonly status: 'silent'; readonly detail: string } {
  return { status: 'silent', detail };
}

function told({ id, facts, input }: HookedCall) {
  const { user, workspace, session, thread, agent, server, tool } = facts;
  return {
    execution_id: id,
    tool: { name: tool.name, server: server.name, server_url: withoutQuery(server.url) },
    inputs: { ...input },
    context: { user_id: user, workspace, session, thread: thread.id, agent },
  };
}
