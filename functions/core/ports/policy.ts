/**
 * Ports of policy: the decision which agent, for which user, in which thread, may call which tool with what; the policies
 * themselves, their check before they are saved, and the customer's hooks.
 */
import type { AgentId, EventId, Instant, SessionId, ThreadId, WorkspaceId } from '#contract/ids.ts';
import type { PostHookAnswer, PreHookAnswer } from '#contract/hooks.ts';
import type { McpTool } from '#contract/mcp.ts';
import type { PolicyPointer, WorkspacePolicy } from '#contract/policy.ts';
import type { Saved } from '#core/ports/records.ts';

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

export interface PolicyDecision {
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
  decide(facts: CallFacts, input: Readonly<Record<string, unknown>>): Promise<PolicyDecision>;
  /** Whether any input could be allowed. It only filters the list of tools: `decide` decides about calls. */
  isVisible(facts: CallFacts): Promise<boolean>;
  /** Reads the policies in force. A caller uses it beside other reads, so that the next judgement need not wait. */
  prepare(workspace: WorkspaceId): Promise<void>;
}

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

/** The policies that a workspace has had. Reads are strongly consistent; versions never change. */
export interface PolicyRecords {
  /** The version in force; null when none was saved. */
  pointer(workspace: WorkspaceId): Promise<PolicyPointer | null>;
  version(workspace: WorkspaceId, version: number): Promise<WorkspacePolicy | null>;
  /** Adds the version that follows the latest and puts it into force, both or neither. */
  saveNext(workspace: WorkspaceId, policy: WorkspacePolicy): Promise<Saved>;
  /** The versions below `below`, newest first; null begins with the latest. */
  versions(
    workspace: WorkspaceId,
    page: { readonly below: number | null; readonly limit: number },
  ): Promise<{ readonly policies: readonly WorkspacePolicy[]; readonly more: boolean }>;
}

export interface HookedCall {
  readonly id: EventId;
  readonly facts: CallFacts;
  readonly input: Readonly<Record<string, unknown>>;
}

/** `silent`: it did not answer in time, or the answer is invalid; `detail` is for the log and quotes nothing. */
export type HookReply<Answer> =
  | { readonly status: 'none' }
  | { readonly status: 'answered'; readonly answer: Answer }
  | { readonly status: 'silent'; readonly detail: string };

/**
 * The customer's hooks, which check calls of MCP tools. A hook is asked after policy has allowed the call, and can only
 * restrict: it cannot overrule a denial, and policy judges again the input that a hook changes. Each is asked at most once
 * per attempt, and never throws.
 */
export interface Hooks {
  readonly failOpen: boolean;
  before(call: HookedCall): Promise<HookReply<PreHookAnswer>>;
  after(
    call: HookedCall,
    result: { readonly success: boolean; readonly output: string },
  ): Promise<HookReply<PostHookAnswer>>;
}
