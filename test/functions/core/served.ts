/** An agent with MCP servers, the tools that those list, and the proxy's verdicts on calls. */
import type { SessionAgent } from '#contract/agents.ts';
import type { McpTool, ServerListing } from '#contract/mcp.ts';
import type { McpVerdict, WantedCall } from '#contract/mcp-proxy.ts';
import { toolRules } from '#core/tools/tool-definitions.ts';
import { offerTools } from '#core/tools/offer-tools.ts';
import type { McpProxy } from '#core/ports/mcp-proxy.ts';
import type { Command, Verdicts } from '#core/session/commands.ts';
import type { McpTrouble } from '#core/ports/call-marks.ts';
import { EventId } from '#contract/ids.ts';
import {
  AGENT,
  answerWith,
  claim,
  createdWith,
  given,
  NO_MCP,
  send,
  toolUse,
  type Scenario,
} from '#test/functions/core/given.ts';

const config = (type: 'always_allow' | 'always_ask' | 'auto') => ({ enabled: true, permission_policy: { type } });

/** `find` is allowed, `drop` has to be confirmed, `guess` has the policy `auto`, `hidden` is disabled. */
export const SERVED: SessionAgent = {
  ...AGENT,
  mcp_servers: [{ type: 'url', name: 'tracker', url: 'https://tracker.example/mcp' }],
  tools: [
    ...AGENT.tools,
    {
      type: 'mcp_toolset',
      mcp_server_name: 'tracker',
      default_config: config('always_allow'),
      configs: [
        { name: 'drop', ...config('always_ask') },
        { name: 'guess', ...config('auto') },
        { name: 'hidden', ...config('always_allow'), enabled: false },
      ],
    },
  ],
};

export const mcpTool = (name: string, fields: Partial<McpTool> = {}): McpTool => ({
  name,
  description: `Does ${name}.`,
  input_schema: { type: 'object', properties: { id: { $ref: '#/$defs/id' } }, $defs: { id: { type: 'string' } } },
  hints: {},
  ...fields,
});

export const listing = (...names: readonly string[]): ServerListing => ({
  status: 'listed',
  server: 'tracker',
  tools: names.map((name) => mcpTool(name)),
});

export const LISTING = listing('find', 'drop', 'guess', 'hidden');

export const OFFERED = offerTools([LISTING], NO_MCP.sha256);

export const RULES = toolRules(SERVED, OFFERED);

/** The proxy's answers for a session, unless a test gives others. */
export const allowing = (calls: readonly WantedCall[]): readonly McpVerdict[] =>
  calls.map(({ id }) => ({ id, decision: 'allow', reason: '' }));

/** Denies each call of `drop`. */
export const judged = (calls: readonly WantedCall[]): readonly McpVerdict[] =>
  calls.map(({ id, tool }) => ({ id, decision: tool === 'drop' ? 'deny' : 'allow', reason: 'No.' }));

export function proxy(over: Partial<McpProxy> = {}): McpProxy {
  return { list: async () => [LISTING], judge: async (_key, calls) => allowing(calls), ...over };
}

export const TROUBLE: McpTrouble = {
  type: 'mcp_authentication_failed_error',
  server: 'tracker',
  message: 'Connect to tracker: https://connect.example/c/1',
};

export const listed = (run = 1, tools = OFFERED, failed: readonly McpTrouble[] = []): Command => ({
  do: 'listed',
  run,
  tools,
  sha256: NO_MCP.sha256(JSON.stringify(tools)),
  failed,
});

/** A session that has listed its tools and sends a model request. */
export const asking = (): Scenario =>
  given([createdWith(SERVED)])
    .when(send('hi'))
    .when(listed())
    .when(claim());

export const verdict = (decision: McpVerdict['decision'], index = 0): [string, McpVerdict] => [
  `toolu_${index}`,
  { id: callId(index), decision, reason: decision === 'deny' ? 'A policy forbids it.' : '' },
];

export const callId = (index: number) => EventId.parse(`sevt_call${index}`);

/** An answer that calls these tools of the tracker, all of them allowed unless verdicts are given. */
export function calling(names: readonly string[], verdicts?: Verdicts): Command {
  const blocks = names.map((name, index) => toolUse(`toolu_${index}`, `mcp__tracker__${name}`, { id: '1' }));
  const allowed = new Map(names.map((_name, index) => verdict('allow', index)));
  return { ...answerWith({ stopReason: 'tool_use', blocks }), rules: RULES, verdicts: verdicts ?? allowed } as Command;
}
