/**
 * The tools of an agent: their definitions for the model, and the rules by which their calls are executed. Names and
 * schemas are those of the SDK's agent toolset, which runs inside the sandbox; a test compares them, so that an SDK
 * upgrade cannot change one side alone.
 */
import type { SessionAgent } from '#contract/agents.ts';
import type { CustomTool } from '#contract/custom-tools.ts';
import { OUTPUTS_DIR, SANDBOX_TOOLS, UPLOADS_DIR, WORKDIR, type SandboxTool } from '#contract/hands.ts';
import type { OfferedTool } from '#contract/mcp.ts';
import type { ToolName } from '#contract/tools.ts';
import { effectiveConfig, effectiveMcpConfig, fetchesItself } from '#core/tools/server-tools.ts';
import type { ToolDefinition } from '#core/ports/model.ts';
import {
  delegationDefinition,
  delegationTools,
  type DelegationTeam,
  type DelegationTool,
} from '#core/tools/delegation-tools.ts';
import type { PermissionPolicy } from '#contract/permission-policy.ts';

/** The hosted API does not publish the schema of `web_fetch`, and the SDK's toolset, which runs in sandboxes, lacks it. */
const WEB_FETCH: ToolDefinition = {
  name: 'web_fetch',
  description:
    'Fetch a URL over https with GET and return what it says: web pages as Markdown, text and JSON as they are, PDFs and images as such. It has no cookies and no credentials, and reaches public hosts only.',
  input_schema: {
    type: 'object',
    properties: { url: { type: 'string', description: 'Absolute https URL' } },
    required: ['url'],
  },
};

const TEXT = { type: 'string' } as const;

const DEFINITIONS: Readonly<Record<SandboxTool, Omit<ToolDefinition, 'name'>>> = {
  bash: {
    description: 'Run a bash command in a persistent shell. State (cwd, env vars) persists across calls.',
    input_schema: {
      type: 'object',
      properties: {
        command: { type: 'string', description: 'The command to run' },
        restart: { type: 'boolean', description: 'Restart the persistent shell before running' },
        timeout_ms: { type: 'integer', description: 'Per-call timeout in milliseconds' },
      },
    },
  },
  read: {
    description: 'Read a UTF-8 text file relative to the workdir.',
    input_schema: {
      type: 'object',
      properties: {
        file_path: TEXT,
        view_range: {
          type: 'array',
          items: { type: 'integer' },
          description: '[start_line, end_line] 1-indexed inclusive',
        },
      },
      required: ['file_path'],
    },
  },
  write: {
    description: 'Write a UTF-8 text file relative to the workdir, creating parent directories as needed.',
    input_schema: {
      type: 'object',
      properties: { file_path: TEXT, content: TEXT },
      required: ['file_path', 'content'],
    },
  },
  edit: {
    description: 'Replace old_string with new_string in a file. old_string must be unique unless replace_all.',
    input_schema: {
      type: 'object',
      properties: { file_path: TEXT, old_string: TEXT, new_string: TEXT, replace_all: { type: 'boolean' } },
      required: ['file_path', 'old_string', 'new_string'],
    },
  },
  glob: {
    description: 'Match files under the workdir against a glob pattern. Results are mtime-sorted, newest first.',
    input_schema: {
      type: 'object',
      properties: {
        pattern: TEXT,
        path: { type: 'string', description: 'Directory to search in. Defaults to the workdir.' },
      },
      required: ['pattern'],
    },
  },
  grep: {
    description: 'Search file contents for a regex. Uses ripgrep if available, otherwise a built-in walker.',
    input_schema: { type: 'object', properties: { pattern: TEXT, path: TEXT }, required: ['pattern'] },
  },
};

/** The built-in tools that this service executes, in the contract's order. The provider executes the others, or they are off. */
export function enabledTools(agent: SessionAgent): readonly ToolName[] {
  const sandbox = SANDBOX_TOOLS.filter((name) => effectiveConfig(agent.tools, name)?.enabled === true);
  return fetchesItself(agent) ? [...sandbox, 'web_fetch'] : sandbox;
}

/** What the model is told of the sandbox's folders; null for an agent without tools in it. */
export function sandboxNote(agent: SessionAgent): string | null {
  return SANDBOX_TOOLS.some((name) => effectiveConfig(agent.tools, name)?.enabled === true) ? FOLDERS : null;
}

const FOLDERS =
  `Your tools run in a sandbox. Its working directory is ${WORKDIR}. Files that the user gives you are in ${UPLOADS_DIR}, ` +
  `read-only. Write each file that the user is to receive below ${OUTPUTS_DIR}: files elsewhere are not given to the user.`;

/** The offered tools that the agent's toolsets enable. */
function enabledMcpTools(agent: SessionAgent, offered: readonly OfferedTool[]): readonly OfferedTool[] {
  return offered.filter(
    ({ server, tool }) => effectiveMcpConfig(agent.tools, { server, tool: tool.name })?.enabled === true,
  );
}

/**
 * The tools that the model may call: built-in ones, the client's own, those for delegation, and those of MCP servers, which
 * change most.
 */
export function toolDefinitions(
  agent: SessionAgent,
  offered: readonly OfferedTool[],
  team: DelegationTeam = { ownSandboxes: false },
): readonly ToolDefinition[] {
  const custom = agent.tools.flatMap((tool) => (tool.type === 'custom' ? [definitionOf(tool)] : []));
  const mcp = enabledMcpTools(agent, offered).map(({ as, tool: { description, input_schema } }) => ({
    name: as,
    description,
    input_schema,
  }));
  const delegation =
    agent.multiagent === null ? [] : delegationTools(agent).map((name) => delegationDefinition(name, team));
  return [...enabledTools(agent).flatMap(builtIn), ...custom, ...delegation, ...mcp];
}

function builtIn(name: ToolName): readonly ToolDefinition[] {
  switch (name) {
    case 'web_fetch':
      return [WEB_FETCH];
    case 'web_search':
      return [];
    default:
      return [{ name, ...DEFINITIONS[name] }];
  }
}

/** In the contract, null means that a field is absent; the provider refuses null in a schema. */
function definitionOf({ name, description, input_schema }: CustomTool): ToolDefinition {
  const fields = Object.entries(input_schema).filter(([, value]) => value !== null);
  return { name, description, input_schema: Object.fromEntries(fields) };
}

/**
 * This service executes `built-in` tools, and its harness those of `delegation`. The client answers `custom` ones. An MCP
 * server executes `mcp` tools, under its own name of the tool. No policy asks about `custom` and `delegation`.
 */
export type ToolRule =
  | { readonly kind: 'built-in'; readonly policy: PermissionPolicy['type'] }
  | { readonly kind: 'custom' }
  | { readonly kind: 'delegation'; readonly tool: DelegationTool }
  | {
      readonly kind: 'mcp';
      readonly server: string;
      readonly tool: string;
      readonly policy: PermissionPolicy['type'];
    };

/** The enabled tools, by the name that the model knows. A call of another tool is denied. */
export type ToolRules = ReadonlyMap<string, ToolRule>;

/** `offered` are the tools that the agent's MCP servers offer at present. */
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
  const delegation =
    agent.multiagent === null
      ? []
      : delegationTools(agent).map((name): [string, ToolRule] => [name, { kind: 'delegation', tool: name }]);
  // A tool of the client's keeps its name.
  return new Map([...delegation, ...builtIn, ...custom, ...mcp]);
}
