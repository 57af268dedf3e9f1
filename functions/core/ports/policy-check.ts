/** Port of what is said of policies before they are saved. */
import type { McpTool } from '#contract/mcp.ts';

/** A tool that somebody may write policies about. */
export interface KnownTool {
  /** Canonical. */
  readonly url: string;
  readonly tool: McpTool;
}

export interface PolicyProblem {
  /** From 1; null for what concerns the set as a whole. */
  readonly at: { readonly line: number; readonly column: number } | null;
  /** Null where the text can not be read. */
  readonly policy: string | null;
  readonly message: string;
}

export interface CheckedPolicies {
  readonly problems: readonly PolicyProblem[];
  /** Policies that name tools which are not among the known ones: nothing can be said of what they say. */
  readonly unchecked: readonly { readonly policy: string; readonly actions: readonly string[] }[];
}

export interface PolicyCheck {
  /** Syntax, types against the schema of the known tools, and servers by their canonical URL. */
  check(policies: string, tools: readonly KnownTool[]): Promise<CheckedPolicies>;
}
