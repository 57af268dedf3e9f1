/** MCP servers that a workspace's agents have used, and their pinned tools (not in the API's contract, so `/v1/x`). */
import * as z from 'zod';
import { Instant } from './ids.ts';
import { McpTool } from './mcp.ts';
import { ListQuery } from './pages.ts';

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be the SHA-256 of a tool, in lower-case hex');

const PinnedMcpTool = z.object({
  name: z.string(),
  sha256: Sha256,
  pinned_at: Instant,
  /** The version that the server offers instead; the tool is quarantined until a person approves this version. */
  drifted: z
    .object({
      sha256: Sha256,
      seen_at: Instant,
      /** Null when it was too large to be kept. */
      was: McpTool.nullable(),
      is: McpTool.nullable(),
    })
    .nullable(),
});

export const MetMcpServer = z
  .object({ type: z.literal('mcp_server'), url: z.string(), tools: z.array(PinnedMcpTool) })
  .meta({ id: 'MetMcpServer' });
export type MetMcpServer = z.infer<typeof MetMcpServer>;

export const McpServersQuery = z.strictObject({
  limit: ListQuery.shape.limit,
  page: ListQuery.shape.page,
  beta: ListQuery.shape.beta,
});

export const ToolApproval = z
  .strictObject({ url: z.string().min(1).max(2048), tool: z.string().max(100_000), sha256: Sha256 })
  .meta({ id: 'ToolApproval' });
export type ToolApproval = z.infer<typeof ToolApproval>;

export const ApprovedTool = z
  .object({ type: z.literal('mcp_tool'), url: z.string(), name: z.string(), sha256: Sha256, pinned_at: Instant })
  .meta({ id: 'ApprovedTool' });
export type ApprovedTool = z.infer<typeof ApprovedTool>;
