/** What an agent's toolsets say of one tool: its entry, else the toolset's default. */
import type { PermissionPolicy } from '#contract/permission-policy.ts';
import { canConfirm, TOOLSET_TYPE, type AgentTool, type ToolName } from '#contract/tools.ts';

interface EffectiveConfig {
  readonly enabled: boolean;
  readonly permission_policy: PermissionPolicy;
}

/** Null without a toolset. What would have to wait for a confirmation and cannot is off. */
export function effectiveConfig(tools: readonly AgentTool[], name: ToolName): EffectiveConfig | null {
  const toolset = tools.find((tool) => tool.type === TOOLSET_TYPE);
  if (toolset === undefined) return null;
  const { enabled, permission_policy } =
    toolset.configs.find((config) => config.name === name) ?? toolset.default_config;
  return { enabled: enabled && (permission_policy.type === 'always_allow' || canConfirm(name)), permission_policy };
}

/** Of a tool of an MCP server, by the server's own name of it; null without a toolset of that server. */
export function effectiveMcpConfig(
  tools: readonly AgentTool[],
  { server, tool }: { readonly server: string; readonly tool: string },
): EffectiveConfig | null {
  const toolset = tools.flatMap((one) =>
    one.type === 'mcp_toolset' && one.mcp_server_name === server ? [one] : [],
  )[0];
  if (toolset === undefined) return null;
  return toolset.configs.find((config) => config.name === tool) ?? toolset.default_config;
}
