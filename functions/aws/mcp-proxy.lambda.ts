/**
 * The MCP proxy as a port: synchronous invocations, signed by hand like the provision function's, and for the same
 * reason. What it answers is parsed like anything else that crosses a process.
 */
import { AwsClient } from 'aws4fetch';
import type * as z from 'zod';
import { McpListings, McpVerdicts, type McpProxyRequest } from '#contract/mcp-proxy.ts';
import { CredentialValidation } from '#contract/vaults.ts';
import { Fault } from '#core/errors.ts';
import type { CredentialTrial, McpProxy } from '#core/mcp/mcp-proxy.ts';
import { roleCredentials, serviceEndpoint, setting, type Environment } from '#aws/settings.ts';

/** A turn waits for it, before it asks the model: servers that are slower than this have no tools in this run. */
const LIST_TIMEOUT_MS = 60_000;
/** Of the time that a turn keeps to append an answer it has heard. */
const JUDGE_TIMEOUT_MS = 10_000;
/** Below the API's own 29 s. */
const VALIDATE_TIMEOUT_MS = 25_000;

export function createMcpProxy(environment: Environment, functionName: string): McpProxy & CredentialTrial {
  const invoke = invoker(environment, functionName);
  return {
    async list({ session, thread }) {
      const { servers } = await invoke({ do: 'list', session, thread }, McpListings, LIST_TIMEOUT_MS);
      return servers;
    },
    async judge({ session, thread }, calls) {
      const { verdicts } = await invoke(
        { do: 'judge', session, thread, calls: [...calls] },
        McpVerdicts,
        JUDGE_TIMEOUT_MS,
      );
      return verdicts;
    },
    validate: ({ workspace, vault, credential }) =>
      invoke({ do: 'validate', workspace, vault, credential }, CredentialValidation.nullable(), VALIDATE_TIMEOUT_MS),
  };
}

function invoker(environment: Environment, functionName: string) {
  const region = setting(environment, 'AWS_REGION');
  const endpoint = serviceEndpoint(environment, 'lambda', region);
  const url = new URL(`/2015-03-31/functions/${encodeURIComponent(functionName)}/invocations`, endpoint);
  const client = new AwsClient({ ...roleCredentials(environment), region, service: 'lambda', retries: 1 });
  return async <Answer extends z.ZodType>(
    request: McpProxyRequest,
    answer: Answer,
    timeoutMs: number,
  ): Promise<z.infer<Answer>> => {
    const init = {
      method: 'POST',
      headers: { 'X-Amz-Invocation-Type': 'RequestResponse', 'Content-Type': 'application/json' },
      body: JSON.stringify(request),
      signal: AbortSignal.timeout(timeoutMs),
    };
    const text = await client
      .fetch(url.href, init)
      .then(bodyOf)
      .catch((cause: unknown) => unavailable(request, cause));
    try {
      return answer.parse(JSON.parse(text));
    } catch (cause) {
      // Such an error quotes the value it refuses, which is what a server said.
      return unavailable(request, cause instanceof Error ? cause.name : 'unknown');
    }
  };
}

async function bodyOf(response: Response): Promise<string> {
  const body = await response.text();
  // A function that failed answers 200 too, with this header; its body is for its own log.
  if (response.ok && !response.headers.has('x-amz-function-error')) return body;
  throw new Error(`the invocation answered ${response.status}`);
}

function unavailable(request: McpProxyRequest, cause: unknown): never {
  throw new Fault('mcp_proxy_unavailable', `the MCP proxy did not do "${request.do}"`, { cause });
}
