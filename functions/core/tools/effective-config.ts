/** The configuration of one tool: its entry in the toolset, else the toolset's default. */
import type { PermissionPolicy } from '#contract/permission-policy.ts';
import { canConfirm, TOOLSET_TYPE, type AgentTool, type ToolName } from '#contract/tools.ts';

interface EffectiveConfig {
  readonly enabled: boolean;
  readonly permission_policy: PermissionPolicy;
}

/** Null without a toolset. A tool that needs a confirmation and cannot wait for one is off. */
export function effectiveConfig(tools: readonly AgentTool[], name: ToolName): EffectiveConfig | null {
  const toolset = tools.find((tool) => tool.type === TOOLSET_TYPE);
  if (toolset === undefined) return null;
  const { enabled, permission_policy } =
    toolset.configs.find((config) => config.name === name) ?? toolset.default_config;
  return { enabled: enabled && (permission_policy.type === 'always_allow' || canConfirm(name)), permission_policy };
}

/** `tool` is the MCP server's own name of the tool. Null when the agent has no toolset for that server. */
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
