/**
 * Sessions with calls that go through the MCP proxy to a real server on this machine. Client, wire and server are real;
 * the other ports are in memory.
 */
import type { McpTool } from '#contract/mcp.ts';
import { makeCall } from '#core/mcp/make-call.ts';
import { withoutUnseen } from '#core/mcp/pins.ts';
import type { McpClient } from '#core/ports/mcp-client.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import { canonicalServerUrl } from '#core/vault/server-url.ts';
import { pause } from '#aws/stamp.ts';
import { clientForTests } from '#test/mcp/client.ts';
import { FX_TOOLS } from '#test/mcp/fx-tools.ts';
import type { Fx } from '#test/mcp/fx.ts';
import {
  agentWith,
  holding,
  proxyStage,
  tokenOf,
  type Holding,
  type StageOptions,
} from '#test/functions/core/mcp/proxy-stage.ts';

const PATIENCE_MS = 120_000;

export interface FxSessionOptions extends Omit<StageOptions, 'tool'> {
  /** The tool that the model has called. @default 'sum' */
  readonly tool?: string;
  /** The client that all sessions of an instance share. @default a new one */
  readonly client?: McpClient;
  readonly over?: Partial<McpProxyWorld>;
}

/** A vault of this user with a credential for the server, and its token. */
export function userOf(fx: Pick<Fx, 'url'>, name: string): Holding & { readonly token: string } {
  const held = holding(name, name, canonicalServerUrl(fx.url) ?? '');
  const [stored] = held.stored;
  return { ...held, token: stored === undefined ? '' : tokenOf(stored) };
}

/** A session that has called a tool of the server. Each call of `call` is one attempt of the proxy. */
export function fxSession(fx: Pick<Fx, 'url'>, options: FxSessionOptions = {}) {
  const { tool = 'sum', client = clientForTests(), over = {}, ...rest } = options;
  const stage = proxyStage({
    agent: agentWith({ fx: fx.url }),
    holdings: [userOf(fx, 'alice')],
    ...rest,
    tool: fxTool(tool),
  });
  // A real pause: a watch without one would leave no time to read the response.
  const world = { ...stage.world, mcpClient: client, pause, ...over };
  const until = { deadline: Date.now() + PATIENCE_MS, signal: new AbortController().signal };
  return { ...stage, world, until, call: () => makeCall(world, stage.request, until) };
}

/** The tool as the client lists it. */
function fxTool(name: string): McpTool {
  const tool = FX_TOOLS.find((one) => one.name === name);
  if (tool === undefined) throw new Error(`the server has no tool ${name}`);
  const { description = '', inputSchema, annotations = {} } = tool;
  return withoutUnseen({ name, description, input_schema: inputSchema, hints: annotations });
}
