/** Port of the policy decision: which agent, for which user, in which thread, may call which tool with what. */
import type { AgentId, Instant, SessionId, ThreadId, WorkspaceId } from '#contract/ids.ts';
import type { McpTool } from '#contract/mcp.ts';

/** What is known of a call, from the session's record and the pinned manifest; of the model there is only `input`. */
export interface CallFacts {
  readonly workspace: WorkspaceId;
  readonly session: SessionId;
  readonly thread: { readonly id: ThreadId; readonly isPrimary: boolean; readonly depth: number };
  readonly agent: { readonly id: AgentId; readonly version: number; readonly name: string };
  readonly user: string | null;
  readonly server: { readonly name: string; readonly url: string };
  readonly tool: McpTool;
  /** A person has confirmed this very call. */
  readonly isConfirmed: boolean;
  readonly at: Instant;
}

export interface Decision {
  readonly decision: 'allow' | 'ask' | 'deny';
  /**
   * `default_permit`, `permitted`, `confirmed`, `asks`, `forbidden`, `no_matching_permit`, `policy_error:<id>`,
   * `policy_error:<id>:number` (what it compares is no number to policies), `evaluation_failed`,
   * `policies_unreadable`; in shadow mode `would_allow`, `would_ask`, `would_deny`.
   */
  readonly code: string;
  /** In words that are safe for the model. */
  readonly reason: string;
  /** Those that decided. */
  readonly policyIds: readonly string[];
  readonly policySha256: string | null;
  readonly mode: 'none' | 'shadow' | 'enforce';
  /** What a set in shadow mode would have decided. */
  readonly would: 'allow' | 'ask' | 'deny' | null;
}

/** What cannot be judged is denied: these never throw for what a policy or an argument is. */
export interface Policies {
  decide(facts: CallFacts, input: Readonly<Record<string, unknown>>): Promise<Decision>;
  /** Whether any input could be allowed. Cosmetic: `decide` has the last word. */
  isVisible(facts: CallFacts): Promise<boolean>;
  /** Reads what is in force, for whoever can do so beside other reads: the next judgement waits for it otherwise. */
  prepare(workspace: WorkspaceId): Promise<void>;
}
