/** The manifests of a server's tools: how they are shown and compared, and how people read and approve a changed one. */
import type { WorkspaceId } from '#contract/ids.ts';
import type { McpTool } from '#contract/mcp.ts';
import type { ApprovedTool, MetMcpServer, ToolApproval } from '#contract/mcp-servers.ts';
import { governanceEntry, type Governor } from '#core/policy/save-policy.ts';
import { canonicalJson, type Sha256 } from '#core/ports/canonical-json.ts';
import type { Ports } from '#core/ports/ports.ts';
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';
import type { PinnedServer, PinnedTool, ToolPins } from '#core/ports/tool-pins.ts';
import { canonicalServerUrl, withoutQuery } from '#core/vault/server-url.ts';

/** Control, format (also bidirectional and zero-width) and unassigned characters: a reader does not see them. */
const UNSEEN = /[^\P{C}\n\t]/gu;

/** The part of a server's text that a person sees. */
export function seen(text: string): string {
  return text.toWellFormed().replaceAll(UNSEEN, '');
}

/** The model gets only what a person who approves the tool can see. */
export function withoutUnseen(tool: McpTool): McpTool {
  return { ...tool, description: seen(tool.description), input_schema: seenSchema(tool.input_schema) };
}

const WORDS: ReadonlySet<string> = new Set(['title', 'description']);

/** Changes only titles and descriptions: names and values of arguments must stay as the server knows them. */
function seenSchema(schema: McpTool['input_schema']): McpTool['input_schema'] {
  const shown = JSON.stringify(schema, (key, value: unknown) =>
    WORDS.has(key) && typeof value === 'string' ? seen(value) : value,
  );
  return JSON.parse(shown) as McpTool['input_schema'];
}

/** The hash of a tool's whole manifest: after any change it is another tool. */
export function fingerprint(tool: McpTool, sha256: Sha256): string {
  const { name, description, input_schema: schema, hints } = tool;
  return sha256(canonicalJson({ name, description, schema, hints }));
}

/** Twice the protocol's limit. The name is stored in the row of the tool's pin, and a row has a size limit. */
const MAX_NAME_CHARS = 256;

/** Drops a tool that the server lists twice under one name: chance would decide which of the two is pinned. */
export function withOwnName(tools: readonly McpTool[]): readonly McpTool[] {
  const uses = Map.groupBy(tools, ({ name }) => name);
  return tools.filter(({ name }) => name.length <= MAX_NAME_CHARS && uses.get(name)?.length === 1);
}

/** The servers that agents have met. Each changed tool has its pinned and its new manifest, so that people can compare. */
export async function metServers(
  pins: Pick<ToolPins, 'list' | 'manifest'>,
  workspace: WorkspaceId,
  { after, limit }: { readonly after: string | null; readonly limit: number },
): Promise<{ readonly servers: readonly MetMcpServer[]; readonly more: boolean }> {
  const all = (await pins.list(workspace)).filter(({ url }) => after === null || url > after);
  const servers = await Promise.all(all.slice(0, limit).map((server) => compared(pins, workspace, server)));
  return { servers, more: all.length > limit };
}

async function compared(
  pins: Pick<ToolPins, 'manifest'>,
  workspace: WorkspaceId,
  { url, tools }: PinnedServer,
): Promise<MetMcpServer> {
  const read = (sha256: string) => pins.manifest(workspace, url, sha256);
  const shown = async ({ name, sha256, pinnedAt: pinned_at, drifted }: PinnedTool) => {
    if (drifted === null) return { name, sha256, pinned_at, drifted };
    const [was, is] = await Promise.all([read(sha256), read(drifted.sha256)]);
    return { name, sha256, pinned_at, drifted: { sha256: drifted.sha256, seen_at: drifted.seenAt, was, is } };
  };
  return { type: 'mcp_server', url, tools: await Promise.all(tools.map(shown)) };
}

/** Lets agents use a tool again, after a person has read what the server says of it. */
export async function approveTool(
  { pins, audit, stamp }: Pick<Ports, 'pins' | 'audit' | 'stamp'>,
  { workspace, apiKey }: Governor,
  { url: given, tool: name, sha256 }: ToolApproval,
): Promise<ApprovedTool | RequestRefusal> {
  const url = canonicalServerUrl(given);
  if (url === null) return refuse('invalid_request_error', 'url: must be the http or https URL of an MCP server');
  const known = (await pins.find(workspace, url)).get(name);
  if (known === undefined) return refuse('not_found_error', 'tool: no agent has met such a tool of this server');
  if ((known.drifted ?? known).sha256 !== sha256) return CHANGED;
  const what = `${withoutQuery(url)}: the tool with sha256 ${sha256}`;
  // The audit trail has the approval before it is in force.
  await audit.record(workspace, url, governanceEntry('tool.approved', { apiKey, outcome: 'done', what }));
  const approved = await pins.approve(workspace, url, { name, sha256 }, stamp.now());
  if (approved !== null) return { type: 'mcp_tool', url, name, sha256, pinned_at: approved.pinnedAt };
  await audit.record(
    workspace,
    url,
    governanceEntry('tool.approved', {
      apiKey,
      outcome: 'denied',
      what: `${what}: the server says something else by now`,
    }),
  );
  return CHANGED;
}

const CHANGED = refuse(
  'conflict_error',
  'sha256: is not what the server says of this tool; list its server again, read what it says and approve that',
);
