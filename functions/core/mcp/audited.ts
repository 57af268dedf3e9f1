/** A call's two records in the audit trail: the intent (the caller, the call and how it was judged) and the outcome. */
import type { AuditEntry } from '#contract/audit.ts';
import type { WantedCall } from '#contract/mcp-proxy.ts';
import type { Caller } from '#core/mcp/caller.ts';
import type { Judged } from '#core/mcp/judge-call.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import { canonicalJson } from '#core/ports/canonical-json.ts';
import { withoutQuery } from '#core/vault/server-url.ts';

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

/** A call as it was judged, and whether a person had confirmed it by then. */
interface JudgedCall {
  readonly caller: Caller;
  readonly call: WantedCall;
  readonly judged: Judged;
  readonly isConfirmed: boolean;
}

type AuditPorts = Pick<McpProxyWorld, 'audit' | 'sha256'>;

function subjectOf({ sha256 }: AuditPorts, { caller, call, judged }: Omit<JudgedCall, 'isConfirmed'>): Subject {
  const { key, agent } = caller;
  return {
    session: key.session,
    thread: key.thread,
    agent: agent.id,
    agent_version: agent.version,
    user: judged.user,
    call: call.id,
    server: call.server.slice(0, MAX_NAME_CHARS),
    server_url: judged.server === null ? '' : withoutQuery(judged.server.url),
    tool: call.tool.slice(0, MAX_NAME_CHARS),
    args_sha256: sha256(canonicalJson(judged.permit?.input ?? call.input)),
  };
}

function record({ audit }: AuditPorts, { workspace, key }: Caller, entry: IntentEntry | OutcomeEntry): Promise<void> {
  return audit.record(workspace, key.session, entry);
}

/** Throws `Fault` `audit_unavailable`, like the two functions below. */
export function recordIntent(ports: AuditPorts, judgedCall: JudgedCall): Promise<void> {
  const { decision } = judgedCall.judged;
  return record(ports, judgedCall.caller, {
    kind: 'intent',
    ...subjectOf(ports, judgedCall),
    decision: decision.decision,
    code: decision.code,
    policy_ids: [...decision.policyIds],
    policy_sha256: decision.policySha256,
    mode: decision.mode,
    would: decision.would,
    confirmed: judgedCall.isConfirmed,
  });
}

/** Both records of a call that may not be made. */
export async function recordDenial(ports: AuditPorts, denied: JudgedCall): Promise<void> {
  const { code } = denied.judged.decision;
  await recordIntent(ports, denied);
  await recordOutcome(ports, denied, { ...NOTHING_DONE, outcome: 'denied', error: code, duration_ms: 0 });
}

export function recordOutcome(
  ports: AuditPorts,
  call: Omit<JudgedCall, 'isConfirmed'>,
  outcome: AuditedOutcome & Pick<OutcomeEntry, 'duration_ms'>,
): Promise<void> {
  return record(ports, call.caller, { kind: 'outcome', ...subjectOf(ports, call), ...outcome });
}
