/** MCP servers of an agent, their toolsets, and what servers say of their tools. */
import * as z from 'zod';
import { PermissionPolicy, PermissionPolicyInput } from './permission-policy.ts';
import { isWellFormed, MALFORMED } from './content.ts';

export const MAX_MCP_SERVERS = 20;
const MAX_TOOL_CONFIGS = 256;

const ServerName = z.string().min(1).max(255).refine(isWellFormed, MALFORMED);
/** Each reader of the agent sees the URL, so it must not hold a secret. */
const ServerUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .max(2048)
  .refine((url) => {
    const { username = '', password = '' } = URL.parse(url) ?? {};
    return username === '' && password === '';
  }, 'must not name a user or a password: credentials belong in a vault');

export const McpServer = z
  .object({ type: z.literal('url'), name: z.string(), url: z.string() })
  .meta({ id: 'McpServer' });
export type McpServer = z.infer<typeof McpServer>;

export const McpServersInput = z
  .array(z.strictObject({ type: z.literal('url'), name: ServerName, url: ServerUrl }))
  .max(MAX_MCP_SERVERS)
  .check(({ value: servers, issues }) => {
    const names = servers.map(({ name }) => name);
    for (const [index, { name }] of servers.entries()) {
      if (names.indexOf(name) === index) continue;
      issues.push({ code: 'custom', input: name, path: [index, 'name'], message: 'must be unique in the agent' });
    }
  });
export type McpServersInput = z.infer<typeof McpServersInput>;

const config = { enabled: z.boolean().nullish(), permission_policy: PermissionPolicyInput.nullish() };

export const McpToolsetInput = z
  .strictObject({
    type: z.literal('mcp_toolset'),
    mcp_server_name: ServerName,
    default_config: z.strictObject(config).nullish(),
    configs: z
      .array(z.strictObject({ name: z.string().min(1).max(128).refine(isWellFormed, MALFORMED), ...config }))
      .max(MAX_TOOL_CONFIGS)
      .default([]),
  })
  .refine((toolset) => new Set(toolset.configs.map(({ name }) => name)).size === toolset.configs.length, {
    path: ['configs'],
    message: 'must name each tool once',
  })
  .meta({ id: 'McpToolsetInput' });
export type McpToolsetInput = z.infer<typeof McpToolsetInput>;

const resolved = { enabled: z.boolean(), permission_policy: PermissionPolicy };

export const McpToolset = z
  .object({
    type: z.literal('mcp_toolset'),
    mcp_server_name: z.string(),
    default_config: z.object(resolved),
    configs: z.array(z.object({ name: z.string(), ...resolved })),
  })
  .meta({ id: 'McpToolset' });
export type McpToolset = z.infer<typeof McpToolset>;

/** Hints of the server about its own tool. People see them; no rule trusts them. */
export const ToolHints = z.object({
  readOnlyHint: z.boolean().optional(),
  destructiveHint: z.boolean().optional(),
  idempotentHint: z.boolean().optional(),
  openWorldHint: z.boolean().optional(),
});
export type ToolHints = z.infer<typeof ToolHints>;

/** A tool as its server describes it; the schema is passed on untouched. */
export const McpTool = z.object({
  name: z.string(),
  description: z.string(),
  input_schema: z.record(z.string(), z.unknown()),
  hints: ToolHints,
});
export type McpTool = z.infer<typeof McpTool>;

/** A tool as the harness offers it to the model. */
export const OfferedTool = z.object({
  /** Unique among all tools of the session, in the letters that the model's provider takes. */
  as: z.string(),
  /** Name of the server in the agent. */
  server: z.string(),
  tool: McpTool,
});
export type OfferedTool = z.infer<typeof OfferedTool>;

export const McpErrorType = z.enum(['mcp_connection_failed_error', 'mcp_authentication_failed_error']);
export type McpErrorType = z.infer<typeof McpErrorType>;

/** What one server of the agent offers in this session: tools that are enabled, visible to policy, and not quarantined. */
export const ServerListing = z.discriminatedUnion('status', [
  z.object({ status: z.literal('listed'), server: z.string(), tools: z.array(McpTool) }),
  z.object({
    status: z.literal('failed'),
    server: z.string(),
    error: McpErrorType,
    /** For people and logs. It names the server and the rule, never a token, a path or an answer's text. */
    message: z.string(),
    /** The URL at which the user can solve it, of this service or of the server. The model never sees it. */
    action_url: z.string().optional(),
  }),
]);
export type ServerListing = z.infer<typeof ServerListing>;
