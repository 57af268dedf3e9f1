/** The MCP proxy as a port: what it answers is parsed like anything else that crosses a process. */
import type * as z from 'zod';
import { McpListings, McpVerdicts, type McpProxyRequest } from '#contract/mcp-proxy.ts';
import { CredentialValidation } from '#contract/vaults.ts';
import { Fault } from '#core/errors.ts';
import type { CredentialTrial, McpProxy } from '#core/mcp/mcp-proxy.ts';
import { createInvoke } from '#aws/invoke.lambda.ts';
import type { Environment } from '#aws/settings.ts';

/** A turn waits for it, before it asks the model: servers that are slower than this have no tools in this run. */
const LIST_TIMEOUT_MS = 60_000;
/** Of the time that a turn keeps to append an answer it has heard. */
const JUDGE_TIMEOUT_MS = 10_000;
/** Below the API's own 29 s. */
const VALIDATE_TIMEOUT_MS = 25_000;

export function createMcpProxy(environment: Environment, functionName: string): McpProxy & CredentialTrial {
  const ask = asker(environment, functionName);
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

function asker(environment: Environment, functionName: string) {
  const invoke = createInvoke(environment, { retries: 1 });
  return async <Answer extends z.ZodType>(
    request: McpProxyRequest,
    answer: Answer,
    timeoutMs: number,
  ): Promise<z.infer<Answer>> => {
    const text = await invoke(functionName, { type: 'RequestResponse', input: request, timeoutMs }).catch(
      (cause: unknown) => unavailable(request, cause),
    );
    try {
      return answer.parse(JSON.parse(text));
    } catch (cause) {
      // Such an error quotes the value it refuses, which is what a server said.
      return unavailable(request, cause instanceof Error ? cause.name : 'unknown');
    }
  };
}

function unavailable(request: McpProxyRequest, cause: unknown): never {
  throw new Fault('mcp_proxy_unavailable', `the MCP proxy did not do "${request.do}"`, { cause });
}
