/**
 * Port of the pinned tool manifests: a server's description of a tool when it was first seen, or last approved. A tool
 * with another description is quarantined until a person approves it (`docs/security.md`, Policy and tools).
 */
import type { Instant, WorkspaceId } from '#contract/ids.ts';
import type { McpTool } from '#contract/mcp.ts';

export interface PinnedTool {
  readonly name: string;
  /** The `fingerprint` of the pinned version. */
  readonly sha256: string;
  readonly pinnedAt: Instant;
  /** The version that the server offers instead, and when it was last seen; null while it is the pinned one. */
  readonly drifted: { readonly sha256: string; readonly seenAt: Instant } | null;
}

export interface PinnedServer {
  /** Canonical. */
  readonly url: string;
  readonly tools: readonly PinnedTool[];
}

export interface ToolPins {
  /** Strongly consistent. The rows are small: they hold hashes, not what the server said. */
  find(workspace: WorkspaceId, url: string): Promise<ReadonlyMap<string, PinnedTool>>;
  /** Pins tools that have no pin; a tool that has one keeps it. */
  pin(
    workspace: WorkspaceId,
    url: string,
    tools: readonly { readonly tool: McpTool; readonly sha256: string }[],
    at: Instant,
  ): Promise<void>;
  /** Stores an unapproved version, so that a person can approve it. A repeat updates when it was last seen. */
  drift(
    workspace: WorkspaceId,
    url: string,
    drifted: { readonly tool: McpTool; readonly sha256: string },
    at: Instant,
  ): Promise<void>;
  /**
   * Removes the drift of a tool for which the server, asked at `askedAt`, gave the pinned version. A drift that was seen
   * later stays, and so does a drift from a version that was approved meanwhile.
   */
  clearDrift(
    workspace: WorkspaceId,
    url: string,
    pinned: { readonly name: string; readonly sha256: string },
    askedAt: Instant,
  ): Promise<void>;
  /** Pins the drifted version. A repeat changes nothing. Null when there is no such tool, or its version is another one. */
  approve(
    workspace: WorkspaceId,
    url: string,
    approved: { readonly name: string; readonly sha256: string },
    at: Instant,
  ): Promise<PinnedTool | null>;
  /** Sorted by URL and name; it may miss a write of the last moment. */
  list(workspace: WorkspaceId): Promise<readonly PinnedServer[]>;
  /** The pinned or drifted version with this hash; null when there is none, or when it was too large to store. */
  manifest(workspace: WorkspaceId, url: string, sha256: string): Promise<McpTool | null>;
  /** The pinned versions of all tools of all servers; it may miss a write of the last moment. */
  manifests(workspace: WorkspaceId): Promise<readonly { readonly url: string; readonly tool: McpTool }[]>;
}
