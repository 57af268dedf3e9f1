/** Port of the policy decision: which agent, for which user, in which thread, may call which tool with what. */
import type { AgentId, Instant, SessionId, ThreadId, WorkspaceId } from '#contract/ids.ts';
import type { McpTool } from '#contract/mcp.ts';

/** The facts of a call, from the session's record and the pinned manifest. The model supplies only `input`. */
export interface CallFacts {
  readonly workspace: WorkspaceId;
  readonly session: SessionId;
  readonly thread: { readonly id: ThreadId; readonly isPrimary: boolean; readonly depth: number };
  readonly agent: { readonly id: AgentId; readonly version: number; readonly name: string };
  readonly user: string | null;
  readonly server: { readonly name: string; readonly url: string };
  readonly tool: McpTool;
  /** Whether a person has confirmed this call. */
  readonly isConfirmed: boolean;
  readonly at: Instant;
}

export interface Decision {
  readonly decision: 'allow' | 'ask' | 'deny';
  /**
   * `default_permit`, `permitted`, `confirmed`, `asks`, `forbidden`, `no_matching_permit`, `policy_error:<id>`,
   * `policy_error:<id>:number` (it compares a number that does not fit Cedar's types), `evaluation_failed`,
   * `policies_unreadable`; in shadow mode `would_allow`, `would_ask`, `would_deny`.
   */
  readonly code: string;
  /** For the model. */
  readonly reason: string;
  /** The policies that decided. */
  readonly policyIds: readonly string[];
  readonly policySha256: string | null;
  readonly mode: 'none' | 'shadow' | 'enforce';
  /** The decision that a set in shadow mode would have made. */
  readonly would: 'allow' | 'ask' | 'deny' | null;
}

/** A call that cannot be judged is denied: no policy and no argument makes these functions throw. */
export interface Policies {
  decide(facts: CallFacts, input: Readonly<Record<string, unknown>>): Promise<Decision>;
  /** Whether any input could be allowed. It only filters the list of tools: `decide` decides about calls. */
  isVisible(facts: CallFacts): Promise<boolean>;
  /** Reads the policies in force. A caller uses it beside other reads, so that the next judgement need not wait. */
  prepare(workspace: WorkspaceId): Promise<void>;
}
