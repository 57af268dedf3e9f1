/** Hooks as Lambda functions of the customer's: synchronous invocations, signed by hand like those of our own. */
import { AwsClient } from 'aws4fetch';
import type * as z from 'zod';
import { HookSettings, PostHookAnswer, PreHookAnswer, type HookRequest } from '#contract/hooks.ts';
import type { Asked, HookedCall, Hooks } from '#core/policy/hooks.ts';
import { jsonSetting, roleCredentials, serviceEndpoint, setting, type Environment } from '#aws/settings.ts';

const TIMEOUT_MS = 5000;

export function createHooks(environment: Environment, timeoutMs = TIMEOUT_MS): Hooks {
  const { pre, post, failOpen } = jsonSetting(environment, 'MCP_HOOKS', HookSettings);
  const region = setting(environment, 'AWS_REGION');
  const endpoint = serviceEndpoint(environment, 'lambda', region);
  // A repeat would take as long again, and a hook may have an effect of its own.
  const client = new AwsClient({ ...roleCredentials(environment), region, service: 'lambda', retries: 0 });

  async function ask<Answer extends z.ZodType>(
    name: string | null,
    request: HookRequest,
    schema: Answer,
  ): Promise<Asked<z.infer<Answer>>> {
    if (name === null) return { status: 'none' };
    const url = new URL(`/2015-03-31/functions/${encodeURIComponent(name)}/invocations`, endpoint);
    try {
      const response = await client.fetch(url.href, {
        method: 'POST',
        headers: { 'X-Amz-Invocation-Type': 'RequestResponse', 'Content-Type': 'application/json' },
        body: JSON.stringify(request),
        signal: AbortSignal.timeout(timeoutMs),
      });
      const text = await response.text();
      // A function that failed answers 200 too, with this header.
      if (!response.ok || response.headers.has('x-amz-function-error')) return silent(`answered ${response.status}`);
      const answer = schema.safeParse(JSON.parse(text));
      return answer.success ? { status: 'answered', answer: answer.data } : silent('answered something else');
    } catch (cause) {
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
    tool: { name: tool.name, server: server.name, server_url: server.url.replace(/\?.*$/, '') },
    inputs: { ...input },
    context: { user_id: user, workspace, session, thread: thread.id, agent },
  };
}
