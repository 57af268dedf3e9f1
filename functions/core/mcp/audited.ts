/** A call's two records in the audit trail: the intent (the caller, the call and how it was judged) and the outcome. */
import type { AuditEntry } from '#contract/audit.ts';
import type { WantedCall } from '#contract/mcp-proxy.ts';
import type { Caller } from '#core/mcp/caller.ts';
import type { Judged } from '#core/mcp/judge-call.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import { canonicalJson } from '#core/ports/canonical-json.ts';

type IntentEntry = Extract<AuditEntry, { kind: 'intent' }>;
type OutcomeEntry = Extract<AuditEntry, { kind: 'outcome' }>;

type Judgement = 'decision' | 'code' | 'policy_ids' | 'policy_sha256' | 'mode' | 'would' | 'confirmed';
type Subject = Omit<IntentEntry, 'kind' | Judgement>;
/** The outcome of a call, apart from its subject and its duration. */
export type AuditedOutcome = Omit<OutcomeEntry, 'kind' | 'duration_ms' | keyof Subject>;

/** The model may write names of tools and servers that do not exist, of any length. */
const MAX_NAME_CHARS = 256;

export const NOTHING_DONE: Omit<AuditedOutcome, 'outcome'> = {
  error: null,
  vault: null,
  credential: null,
  credential_version: null,
  http_status: null,
  secret_echo: false,
};

function subjectOf(
  { sha256 }: Pick<McpProxyWorld, 'sha256'>,
  { key, agent }: Caller,
  { call, judged }: { readonly call: WantedCall; readonly judged: Omit<Judged, 'decision'> },
): Subject {
  return {
    ...key,
    agent: agent.id,
    agent_version: agent.version,
    user: judged.user,
    call: call.id,
    server: call.server.slice(0, MAX_NAME_CHARS),
    server_url: judged.server?.url.replace(/\?.*$/, '') ?? '',
    tool: call.tool.slice(0, MAX_NAME_CHARS),
    args_sha256: sha256(canonicalJson(judged.permit?.input ?? call.input)),
  };
}

/** A call as it was judged, and whether a person had confirmed it by then. */
interface JudgedCall {
  readonly call: WantedCall;
  readonly judged: Judged;
  readonly isConfirmed: boolean;
}

/** Throws `Fault` `audit_unavailable`. */
export async function recordIntent(
  world: Pick<McpProxyWorld, 'audit' | 'sha256'>,
  caller: Caller,
  judgedCall: JudgedCall,
): Promise<void> {
  const { decision } = judgedCall.judged;
  await world.audit.record(caller.workspace, caller.key.session, {
    kind: 'intent',
    ...subjectOf(world, caller, judgedCall),
    decision: decision.decision,
    code: decision.code,
    policy_ids: [...decision.policyIds],
    policy_sha256: decision.policySha256,
    mode: decision.mode,
    would: decision.would,
    confirmed: judgedCall.isConfirmed,
  });
}

/** Both records of a call that may not be made. Throws `Fault` `audit_unavailable`. */
export async function recordDenial(
  world: Pick<McpProxyWorld, 'audit' | 'sha256'>,
  caller: Caller,
  denied: JudgedCall,
): Promise<void> {
  const { code } = denied.judged.decision;
  await recordIntent(world, caller, denied);
  await recordOutcome(world, caller, denied, { ...NOTHING_DONE, outcome: 'denied', error: code, duration_ms: 0 });
}

/** Throws `Fault` `audit_unavailable`. */
export async function recordOutcome(
  world: Pick<McpProxyWorld, 'audit' | 'sha256'>,
  caller: Caller,
  call: Pick<JudgedCall, 'call' | 'judged'>,
  outcome: AuditedOutcome & Pick<OutcomeEntry, 'duration_ms'>,
): Promise<void> {
  const entry = { kind: 'outcome' as const, ...subjectOf(world, caller, call), ...outcome };
  await world.audit.record(caller.workspace, caller.key.session, entry);
}
