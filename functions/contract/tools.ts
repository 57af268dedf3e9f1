/** An agent's tools: as a request names them, and as a response resolves them. */
import * as z from 'zod';
import { CustomTool, CustomToolInput } from './custom-tools.ts';
import { SANDBOX_TOOLS } from './hands.ts';
import { McpToolset, McpToolsetInput } from './mcp.ts';
import { PermissionPolicy, PermissionPolicyInput } from './permission-policy.ts';
import {
  namesOneDomainList,
  ONE_DOMAIN_LIST,
  referencesOf,
  webFetchInput,
  webFetchSettings,
  webSearchInput,
  webSearchSettings,
} from './web-tools.ts';

export const TOOLSET_TYPE = 'agent_toolset_20260401';

/** The SDK's limit; the API's documents say 128. */
const MAX_TOOLS = 256;

const WEB_TOOLS = ['web_fetch', 'web_search'] as const;
export const ToolName = z.enum([...SANDBOX_TOOLS, ...WEB_TOOLS]);
export type ToolName = z.infer<typeof ToolName>;

const configInput = {
  type: ToolName.optional(),
  enabled: z.boolean().nullish(),
  permission_policy: PermissionPolicyInput.nullish(),
};

const ToolConfigInput = z
  .discriminatedUnion('name', [
    z.strictObject({ name: z.enum(SANDBOX_TOOLS), ...configInput }),
    z
      .strictObject({ name: z.literal('web_fetch'), ...configInput, ...webFetchInput })
      .refine(namesOneDomainList, ONE_DOMAIN_LIST),
    z
      .strictObject({ name: z.literal('web_search'), ...configInput, ...webSearchInput })
      .refine(namesOneDomainList, ONE_DOMAIN_LIST),
  ])
  .refine((config) => config.type === undefined || config.type === config.name, {
    path: ['type'],
    message: 'must equal name',
  });
export type ToolConfigInput = z.infer<typeof ToolConfigInput>;

/**
 * The model's provider executes web searches inside its answer, so no person can be asked before one. An entry that
 * asks is refused, and the model is not offered a search that inherits a policy that asks.
 */
export function canConfirm(name: ToolName): boolean {
  return name !== 'web_search';
}

export const ToolsetInput = z
  .strictObject({
    type: z.literal(TOOLSET_TYPE),
    default_config: z
      .strictObject({ enabled: z.boolean().nullish(), permission_policy: PermissionPolicyInput.nullish() })
      .nullish(),
    configs: z.array(ToolConfigInput).max(ToolName.options.length).default([]),
  })
  .refine((toolset) => new Set(toolset.configs.map((config) => config.name)).size === toolset.configs.length, {
    path: ['configs'],
    message: 'must name each tool once',
  })
  .check(({ value: { default_config, configs }, issues }) => {
    for (const [index, config] of configs.entries()) {
      const policy = (config.permission_policy ?? default_config?.permission_policy)?.type ?? 'always_allow';
      const enabled = config.enabled ?? default_config?.enabled ?? true;
      if (!enabled || policy === 'always_allow' || canConfirm(config.name)) continue;
      issues.push({
        code: 'custom',
        input: config,
        path: ['configs', index, 'permission_policy'],
        message:
          `of ${config.name} must be "always_allow": the model's provider executes web searches, so one cannot wait ` +
          'for a confirmation here',
      });
    }
  })
  .meta({ id: 'ToolsetInput' });
export type ToolsetInput = z.infer<typeof ToolsetInput>;

export const AgentToolInput = z
  .discriminatedUnion('type', [ToolsetInput, CustomToolInput, McpToolsetInput])
  .meta({ id: 'AgentToolInput' });
export type AgentToolInput = z.infer<typeof AgentToolInput>;

export const AgentToolsInput = z
  .array(AgentToolInput)
  .max(MAX_TOOLS)
  .refine((tools) => tools.filter((tool) => tool.type === TOOLSET_TYPE).length <= 1, {
    message: `must contain at most one ${TOOLSET_TYPE}`,
  })
  .check(({ value: tools, issues }) => {
    const names = tools.flatMap((tool) => (tool.type === 'custom' ? [tool.name] : []));
    const servers = tools.flatMap((tool) => (tool.type === 'mcp_toolset' ? [tool.mcp_server_name] : []));
    for (const [index, tool] of tools.entries()) {
      const fault = faultOf(tool, { names, servers });
      if (fault !== null)
        issues.push({ code: 'custom', input: tool, path: [index, ...fault.path], message: fault.rule });
    }
  });

interface Fault {
  readonly path: readonly (string | number)[];
  readonly rule: string;
}

interface Named {
  readonly names: readonly string[];
  readonly servers: readonly string[];
}

function faultOf(tool: AgentToolInput, { names, servers }: Named): Fault | null {
  switch (tool.type) {
    case 'custom':
      return nameFault(tool.name, names);
    case 'mcp_toolset': {
      const isTwice = servers.indexOf(tool.mcp_server_name) !== servers.lastIndexOf(tool.mcp_server_name);
      return isTwice ? { path: ['mcp_server_name'], rule: 'must be the only toolset of its server' } : null;
    }
    case TOOLSET_TYPE:
      return sourceFault(tool, names);
    default:
      return tool satisfies never;
  }
}

function nameFault(name: string, names: readonly string[]): Fault | null {
  if (ToolName.safeParse(name).success) return { path: ['name'], rule: 'is the name of a built-in tool' };
  return names.indexOf(name) === names.lastIndexOf(name)
    ? null
    : { path: ['name'], rule: 'must be unique in the agent' };
}

function sourceFault({ configs }: ToolsetInput, names: readonly string[]): Fault | null {
  for (const [index, config] of configs.entries()) {
    if (config.name !== 'web_fetch') continue;
    if (referencesOf(config.url_sources?.client_tool_results).every((name) => names.includes(name))) continue;
    const path = ['configs', index, 'url_sources', 'client_tool_results', 'tools'];
    return { path, rule: 'must name custom tools of the same agent' };
  }
  return null;
}

const config = { enabled: z.boolean(), permission_policy: PermissionPolicy };

export const ToolConfig = z.discriminatedUnion('name', [
  z.object({ type: z.enum(SANDBOX_TOOLS), name: z.enum(SANDBOX_TOOLS), ...config }),
  z.object({ type: z.literal('web_fetch'), name: z.literal('web_fetch'), ...config, ...webFetchSettings }),
  z.object({ type: z.literal('web_search'), name: z.literal('web_search'), ...config, ...webSearchSettings }),
]);
export type ToolConfig = z.infer<typeof ToolConfig>;

export const Toolset = z
  .object({ type: z.literal(TOOLSET_TYPE), default_config: z.object(config), configs: z.array(ToolConfig) })
  .meta({ id: 'Toolset' });
export type Toolset = z.infer<typeof Toolset>;

export const AgentTool = z.discriminatedUnion('type', [Toolset, CustomTool, McpToolset]).meta({ id: 'AgentTool' });
export type AgentTool = z.infer<typeof AgentTool>;
