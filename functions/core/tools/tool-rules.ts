/** What an agent's toolsets say about each tool: which hand makes its calls, and whether somebody is asked before. */
import type { SessionAgent } from '#contract/agents.ts';
import type { OfferedTool } from '#contract/mcp.ts';
import type { PermissionPolicy } from '#contract/permission-policy.ts';
import { effectiveConfig, effectiveMcpConfig } from '#core/tools/effective-config.ts';
import { enabledMcpTools, enabledTools } from '#core/tools/tool-definitions.ts';

/**
 * `built-in` tools are ours to make; a `custom` one is the client's to answer, whatever the policies say; `mcp` tools are
 * a server's, under the name that it knows.
 */
export type ToolRule =
  | { readonly kind: 'built-in'; readonly policy: PermissionPolicy['type'] }
  | { readonly kind: 'custom' }
  | {
      readonly kind: 'mcp';
      readonly server: string;
      readonly tool: string;
      readonly policy: PermissionPolicy['type'];
    };

/** The enabled tools by the name that the model knows; a call of any other is denied. */
export type ToolRules = ReadonlyMap<string, ToolRule>;

/** `offered`: what the agent's MCP servers offer now. */
export function toolRules(agent: SessionAgent, offered: readonly OfferedTool[]): ToolRules {
  const builtIn = enabledTools(agent).map((name): [string, ToolRule] => {
    const policy = effectiveConfig(agent.tools, name)?.permission_policy.type ?? 'always_allow';
    return [name, { kind: 'built-in', policy }];
  });
  const custom = agent.tools.flatMap((tool): readonly [string, ToolRule][] =>
    tool.type === 'custom' ? [[tool.name, { kind: 'custom' }]] : [],
  );
  const mcp = enabledMcpTools(agent, offered).map(({ as, server, tool: { name: tool } }): [string, ToolRule] => {
    const policy = effectiveMcpConfig(agent.tools, { server, tool })?.permission_policy.type ?? 'always_ask';
    return [as, { kind: 'mcp', server, tool, policy }];
  });
  return new Map([...builtIn, ...custom, ...mcp]);
}
