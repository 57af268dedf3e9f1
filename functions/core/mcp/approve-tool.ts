/** A person has read what a server says of its tool now, and lets agents use it again. */
import type { WorkspaceId } from '#contract/ids.ts';
import type { ApprovedTool, ToolApproval } from '#contract/mcp-servers.ts';
import { deed, type GovernanceWorld } from '#core/policy/governance.ts';
import { refuse, type RequestRefusal } from '#core/ports/refusal.ts';
import { canonicalServerUrl } from '#core/vault/server-url.ts';

type ApprovalWorld = Pick<GovernanceWorld, 'pins' | 'audit' | 'stamp'>;

export async function approveTool(
  { pins, audit, stamp }: ApprovalWorld,
  workspace: WorkspaceId,
  { url: given, tool: name, sha256 }: ToolApproval,
): Promise<ApprovedTool | RequestRefusal> {
  const url = canonicalServerUrl(given);
  if (url === null) return refuse('invalid_request_error', 'url: must be the http or https URL of an MCP server');
  const known = (await pins.find(workspace, url)).get(name);
  if (known === undefined) return refuse('not_found_error', 'tool: no agent has met such a tool of this server');
  if ((known.drifted ?? known).sha256 !== sha256) return CHANGED;
  const what = `${url.replace(/\?.*$/, '')}: the tool with sha256 ${sha256}`;
  // On record before it is in force.
  await audit.record(workspace, url, deed('tool.approved', 'done', what));
  const approved = await pins.approve(workspace, url, { name, sha256 }, stamp.now());
  if (approved !== null) return { type: 'mcp_tool', url, name, sha256, pinned_at: approved.pinnedAt };
  await audit.record(workspace, url, deed('tool.approved', 'denied', `${what}: the server says something else by now`));
  return CHANGED;
}

const CHANGED = refuse(
  'conflict_error',
  'sha256: is not what the server says of this tool; list its server again, read what it says and approve that',
);
