/** Tools as they are saved: every value decided, so that a later change of defaults changes no saved agent. */
import type { PermissionPolicy } from '#contract/permission-policy.ts';
import type { AgentTool, AgentToolInput, ToolConfig, ToolConfigInput, Toolset } from '#contract/tools.ts';
import type { ToolsetInput } from '#contract/tools.ts';

const ALWAYS_ALLOW: PermissionPolicy = { type: 'always_allow' };

export function resolveTools(input: readonly AgentToolInput[] | null | undefined): AgentTool[] {
  return (input ?? []).map((tool) => (tool.type === 'custom' ? tool : resolveToolset(tool)));
}

function resolveToolset(input: ToolsetInput): Toolset {
  const defaults = {
    enabled: input.default_config?.enabled ?? true,
    permission_policy: input.default_config?.permission_policy ?? ALWAYS_ALLOW,
  };
  return {
    type: input.type,
    default_config: defaults,
    configs: input.configs.map((config) => resolveConfig(config, defaults)),
  };
}

function resolveConfig(input: ToolConfigInput, defaults: Toolset['default_config']): ToolConfig {
  const policy = {
    enabled: input.enabled ?? defaults.enabled,
    permission_policy: input.permission_policy ?? defaults.permission_policy,
  };
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
