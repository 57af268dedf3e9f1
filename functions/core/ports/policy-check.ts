/** Port of the check of policies before they are saved. */
import type { McpTool } from '#contract/mcp.ts';

/** A tool that policies may name. */
export interface KnownTool {
  /** Canonical. */
  readonly url: string;
  readonly tool: McpTool;
}

export interface PolicyProblem {
  /** Counts from 1; null for a problem of the whole set. */
  readonly at: { readonly line: number; readonly column: number } | null;
  /** Null when the text cannot be parsed. */
  readonly policy: string | null;
  readonly message: string;
}

export interface CheckedPolicies {
  readonly problems: readonly PolicyProblem[];
  /** Policies that name unknown tools: their types cannot be checked. */
  readonly unchecked: readonly { readonly policy: string; readonly actions: readonly string[] }[];
}

export interface PolicyCheck {
  /** Checks the syntax, the types against the schema of the known tools, and that servers are named by canonical URL. */
  check(policies: string, tools: readonly KnownTool[]): Promise<CheckedPolicies>;
}
