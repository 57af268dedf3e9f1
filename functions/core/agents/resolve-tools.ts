/** Tools as they are saved: every default is decided, so that a later change of defaults changes no saved agent. */
import type { McpToolset, McpToolsetInput } from '#contract/mcp.ts';
import type { PermissionPolicy } from '#contract/permission-policy.ts';
import {
  TOOLSET_TYPE,
  type AgentTool,
  type AgentToolInput,
  type ToolConfig,
  type ToolConfigInput,
  type Toolset,
  type ToolsetInput,
} from '#contract/tools.ts';

const ALWAYS_ALLOW: PermissionPolicy = { type: 'always_allow' };
const ALWAYS_ASK: PermissionPolicy = { type: 'always_ask' };

export function resolveTools(input: readonly AgentToolInput[] | null | undefined): AgentTool[] {
  return (input ?? []).map(resolveTool);
}

function resolveTool(tool: AgentToolInput): AgentTool {
  switch (tool.type) {
    case 'custom':
      return tool;
    case 'mcp_toolset':
      return resolveMcpToolset(tool);
    case TOOLSET_TYPE:
      return resolveToolset(tool);
    default:
      return tool satisfies never;
  }
}

/** Tools of MCP servers need a confirmation by default. */
function resolveMcpToolset({ type, mcp_server_name, default_config, configs }: McpToolsetInput): McpToolset {
  const defaults = policyOf(default_config ?? {}, { enabled: true, permission_policy: ALWAYS_ASK });
  return {
    type,
    mcp_server_name,
    default_config: defaults,
    configs: configs.map((config) => ({ name: config.name, ...policyOf(config, defaults) })),
  };
}

function resolveToolset({ type, default_config, configs }: ToolsetInput): Toolset {
  const defaults = policyOf(default_config ?? {}, { enabled: true, permission_policy: ALWAYS_ALLOW });
  return { type, default_config: defaults, configs: configs.map((config) => resolveConfig(config, defaults)) };
}

type Policy = Toolset['default_config'];

function policyOf(input: Pick<ToolConfigInput, 'enabled' | 'permission_policy'>, defaults: Policy): Policy {
  return {
    enabled: input.enabled ?? defaults.enabled,
    permission_policy: input.permission_policy ?? defaults.permission_policy,
  };
}

function resolveConfig(input: ToolConfigInput, defaults: Policy): ToolConfig {
  const policy = policyOf(input, defaults);
  switch (input.name) {
    case 'web_fetch':
      return {
        type: input.name,
        name: input.name,
        ...policy,
        ...domainsOf(input),
        max_content_tokens: input.max_content_tokens ?? null,
        url_sources: urlSourcesOf(input.url_sources),
      };
    case 'web_search':
      return {
        type: input.name,
        name: input.name,
        ...policy,
        ...domainsOf(input),
        user_location: userLocationOf(input.user_location),
      };
    default:
      return { type: input.name, name: input.name, ...policy };
  }
}

type FetchInput = Extract<ToolConfigInput, { name: 'web_fetch' }>;
type SearchInput = Extract<ToolConfigInput, { name: 'web_search' }>;

function domainsOf({ allowed_domains: allowed, blocked_domains: blocked }: FetchInput | SearchInput) {
  return {
    ...(allowed === undefined || allowed === null ? {} : { allowed_domains: allowed }),
    ...(blocked === undefined || blocked === null ? {} : { blocked_domains: blocked }),
  };
}

function urlSourcesOf(input: FetchInput['url_sources']) {
  if (input === undefined || input === null) return null;
  return {
    user_input: input.user_input ?? null,
    client_tool_results: input.client_tool_results ?? null,
    server_tool_results: input.server_tool_results ?? null,
  };
}

function userLocationOf(input: SearchInput['user_location']) {
  if (input === undefined || input === null) return null;
  const { type, city = null, region = null, country = null, timezone = null } = input;
  return { type, city, region, country, timezone };
}
