/** The MCP proxy, invoked as a Lambda function; its answers are parsed. */
import type * as z from 'zod';
import { McpListings, McpVerdicts, type McpProxyRequest } from '#contract/mcp-proxy.ts';
import { CredentialValidation } from '#contract/credential-validation.ts';
import { Fault } from '#core/ports/errors.ts';
import type { CredentialTrial, McpProxy } from '#core/ports/mcp-proxy.ts';
import type { Pause } from '#core/ports/stamp.ts';
import { createInvoke, InvocationFailed } from '#aws/invoke.lambda.ts';
import type { Env } from '#aws/settings.ts';

/** A turn waits for the listings before it asks the model: a server that is slower than this has no tools in this run. */
const LIST_TIMEOUT_MS = 60_000;
/** A part of the time that a turn keeps to append an answer. */
const JUDGE_TIMEOUT_MS = 10_000;
/** Below the API's own 29 s. */
const VALIDATE_TIMEOUT_MS = 25_000;
/**
 * Before each repeat of a request that was throttled or died. A repeat is safe, because these requests change nothing at a
 * server. All repeats share the time limit of the first request.
 */
const PAUSES_MS = [100, 400, 1600] as const;

interface Proxied {
  readonly functionName: string;
  readonly pause: Pause;
}

export function createMcpProxy(env: Env, proxied: Proxied): McpProxy & CredentialTrial {
  const ask = asker(env, proxied);
  return {
    async list({ session, thread }) {
      const { servers } = await ask({ do: 'list', session, thread }, McpListings, LIST_TIMEOUT_MS);
      return servers;
    },
    async judge({ session, thread }, calls) {
      const { verdicts } = await ask(
        { do: 'judge', session, thread, calls: [...calls] },
        McpVerdicts,
        JUDGE_TIMEOUT_MS,
      );
      return verdicts;
    },
    validate: ({ workspace, vault, credential }) =>
      ask({ do: 'validate', workspace, vault, credential }, CredentialValidation.nullable(), VALIDATE_TIMEOUT_MS),
  };
}

function asker(env: Env, { functionName, pause }: Proxied) {
  const invoke = createInvoke(env, { retries: 0 });
  return async <Answer extends z.ZodType>(
    request: McpProxyRequest,
    answer: Answer,
    timeoutMs: number,
  ): Promise<z.infer<Answer>> => {
    const deadline = Date.now() + timeoutMs;
    const attempt = () => {
      const leftMs = Math.max(1, deadline - Date.now());
      return invoke(functionName, { type: 'RequestResponse', input: request, signal: AbortSignal.timeout(leftMs) });
    };
    const text = await repeated(attempt, pause, deadline).catch((cause: unknown) => unavailable(request, cause));
    try {
      return answer.parse(JSON.parse(text));
    } catch (cause) {
      // The parser's error quotes the value, which holds a server's words, so only the error's name is kept.
      return unavailable(request, cause instanceof Error ? cause.name : 'unknown');
    }
  };
}

/** Throws the last failure when there is no time for another attempt, or when a repeat cannot help. */
async function repeated(attempt: () => Promise<string>, pause: Pause, deadline: number): Promise<string> {
  for (const longestMs of PAUSES_MS) {
    try {
      return await attempt();
    } catch (cause) {
      const isFinal = cause instanceof InvocationFailed && !cause.retryable;
      if (isFinal || Date.now() + longestMs >= deadline) throw cause;
    }
    // Random pauses: requests that were throttled together do not come back together.
    await pause(longestMs * (0.5 + Math.random() / 2));
  }
  return attempt();
}

function unavailable(request: McpProxyRequest, cause: unknown): never {
  throw new Fault('mcp_proxy_unavailable', `the MCP proxy did not do "${request.do}"`, { cause });
}
