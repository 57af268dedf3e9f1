/**
 * Web tools. The model's provider executes them inside its answer when it has them and they need no confirmation. In all
 * other cases this service executes `web_fetch`, and `web_search` is absent.
 */
import type { SessionAgent } from '#contract/agents.ts';
import { TOOLSET_TYPE, type ToolConfig, canConfirm, type AgentTool, type ToolName } from '#contract/tools.ts';
import { habitsOf } from '#core/model/habits.ts';
import type { ServerTool } from '#core/ports/model.ts';
import type { PermissionPolicy } from '#contract/permission-policy.ts';

type Agent = Pick<SessionAgent, 'model' | 'tools'>;

type ConfigOf<Name extends ToolConfig['name']> = Extract<ToolConfig, { name: Name }>;

/** The tools that the provider executes for this agent. */
export function serverTools(agent: SessionAgent): readonly ServerTool[] {
  return [...webFetch(agent), ...webSearch(agent)];
}

/**
 * Whether this service executes `web_fetch`. Only the provider knows the URLs that a conversation has shown, so with
 * `url_sources` the tool is off unless the provider executes it.
 */
export function fetchesItself(agent: SessionAgent): boolean {
  const enabled = effectiveConfig(agent.tools, 'web_fetch')?.enabled === true;
  return enabled && !isServed(agent, 'web_fetch') && configOf(agent, 'web_fetch')?.url_sources == null;
}

/**
 * Finds a setting of the toolset that would have no effect, and returns a sentence that starts with the field's path. Tools
 * that are enabled by default only are left out of requests instead, because the default enables all of them.
 */
export function unservedSetting(agent: Agent): string | null {
  for (const [at, tool] of agent.tools.entries()) {
    const configs = tool.type === TOOLSET_TYPE ? tool.configs : [];
    for (const [index, config] of configs.entries()) {
      const sentence = config.enabled ? unserved(agent, config) : null;
      if (sentence !== null) return `tools.${at}.configs.${index}${sentence}`;
    }
  }
  return null;
}

function unserved(agent: Agent, config: ToolConfig): string | null {
  if (config.name === 'web_search' && habitsOf(agent.model.id).webSearch === null) {
    return `: web_search is executed by the model's provider, and ${agent.model.id} has none that does: disable it`;
  }
  if (config.name !== 'web_fetch' || config.url_sources == null || isServed(agent, 'web_fetch')) return null;
  const rule = 'which URLs a conversation has shown is known to the model’s provider alone';
  return config.permission_policy.type === 'always_allow'
    ? `.url_sources: ${rule}, and ${agent.model.id} has none that fetches: leave it out`
    : `.url_sources: ${rule}, which fetches only what is always allowed: leave it out, or set always_allow`;
}

function webFetch(agent: SessionAgent): readonly ServerTool[] {
  const type = habitsOf(agent.model.id).webFetch;
  if (type === null || !isServed(agent, 'web_fetch')) return [];
  const { allowed_domains, blocked_domains, max_content_tokens, url_sources } = configOf(agent, 'web_fetch') ?? {};
  return [serverTool(type, 'web_fetch', { allowed_domains, blocked_domains, max_content_tokens, url_sources })];
}

function webSearch(agent: SessionAgent): readonly ServerTool[] {
  const type = habitsOf(agent.model.id).webSearch;
  if (type === null || !isServed(agent, 'web_search')) return [];
  const { allowed_domains, blocked_domains, user_location } = configOf(agent, 'web_search') ?? {};
  return [serverTool(type, 'web_search', { allowed_domains, blocked_domains, user_location })];
}

/** The provider cannot ask for a confirmation, so it executes only tools that are always allowed. */
function isServed(agent: Agent, name: 'web_fetch' | 'web_search'): boolean {
  const config = effectiveConfig(agent.tools, name);
  const habits = habitsOf(agent.model.id);
  const type = name === 'web_fetch' ? habits.webFetch : habits.webSearch;
  return type !== null && config?.enabled === true && config.permission_policy.type === 'always_allow';
}

function configOf<Name extends ToolConfig['name']>(agent: SessionAgent, name: Name): ConfigOf<Name> | undefined {
  const configs = agent.tools.flatMap((tool) => (tool.type === TOOLSET_TYPE ? tool.configs : []));
  return configs.find((config): config is ConfigOf<Name> => config.name === name);
}

/** `direct`: without it, code that the provider runs could call tools of the newer types. */
function serverTool(type: string, name: string, settings: Readonly<Record<string, unknown>>): ServerTool {
  const given = Object.entries(settings).filter(([, value]) => value !== null && value !== undefined);
  const callers = type.endsWith('_20260318') ? { allowed_callers: ['direct'] } : {};
  return { type, name, ...callers, ...Object.fromEntries(given) };
}

/** The configuration of one tool: its entry in the toolset, else the toolset's default. */
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
