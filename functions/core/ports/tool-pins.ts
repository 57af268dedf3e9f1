/**
 * Port of the pinned tool manifests: what a server said of a tool when it was first seen, or last approved. A tool that
 * says something else now is quarantined until a person approves it (governance T13).
 */
import type { Instant, WorkspaceId } from '#contract/ids.ts';
import type { McpTool } from '#contract/mcp.ts';

export interface PinnedTool {
  readonly name: string;
  /** `fingerprint` of what it said then. */
  readonly sha256: string;
  readonly pinnedAt: Instant;
  /** What the server says now, when it is something else, and when it was last seen to. */
  readonly drifted: { readonly sha256: string; readonly seenAt: Instant } | null;
}

export interface PinnedServer {
  /** Canonical. */
  readonly url: string;
  readonly tools: readonly PinnedTool[];
}

export interface ToolPins {
  /** Strongly consistent, and small: hashes, not what the server said. */
  find(workspace: WorkspaceId, url: string): Promise<ReadonlyMap<string, PinnedTool>>;
  /** Pins tools that nobody has pinned; whoever was first stays. */
  pin(
    workspace: WorkspaceId,
    url: string,
    tools: readonly { readonly tool: McpTool; readonly sha256: string }[],
    at: Instant,
  ): Promise<void>;
  /** Remembers what an unapproved version looks like, so that it can be approved. A repeat says that it was seen again. */
  drift(
    workspace: WorkspaceId,
    url: string,
    drifted: { readonly tool: McpTool; readonly sha256: string },
    at: Instant,
  ): Promise<void>;
  /**
   * Forgets the drift of a tool of which the server, asked at `askedAt`, said what is pinned. A drift that was seen
   * since then stays, and so does one from what somebody has approved meanwhile.
   */
  settle(
    workspace: WorkspaceId,
    url: string,
    settled: { readonly name: string; readonly sha256: string },
    askedAt: Instant,
  ): Promise<void>;
  /** Pins what it says now. A repeat changes nothing. Null when there is no such tool, or it says something else by now. */
  approve(
    workspace: WorkspaceId,
    url: string,
    approved: { readonly name: string; readonly sha256: string },
    at: Instant,
  ): Promise<PinnedTool | null>;
  /** By URL and name; it may trail a write by a moment. */
  list(workspace: WorkspaceId): Promise<readonly PinnedServer[]>;
  /** What was said, pinned or drifted; null when nobody has, or when it was too large to be kept. */
  manifest(workspace: WorkspaceId, url: string, sha256: string): Promise<McpTool | null>;
  /** What all pinned tools of all servers were pinned for; it may trail a write by a moment. */
  manifests(workspace: WorkspaceId): Promise<readonly { readonly url: string; readonly tool: McpTool }[]>;
}
