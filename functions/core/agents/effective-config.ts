/** What an agent's tools say of one built-in tool: its entry, else the toolset's default. */
import type { PermissionPolicy } from '#contract/permission-policy.ts';
import { canConfirm, TOOLSET_TYPE, type AgentTool, type ToolName } from '#contract/tools.ts';

export interface EffectiveConfig {
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
