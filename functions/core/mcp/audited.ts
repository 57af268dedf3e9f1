/** A call's records in the audit trail: who wanted what, how it was judged, what came of it. */
import type { AuditEntry } from '#contract/audit.ts';
import type { WantedCall } from '#contract/mcp-proxy.ts';
import { canonicalJson } from '#core/ports/canonical-json.ts';
import type { Caller } from '#core/mcp/caller.ts';
import type { Judged } from '#core/mcp/judge.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';

type Intent = Extract<AuditEntry, { kind: 'intent' }>;
export type Outcome = Extract<AuditEntry, { kind: 'outcome' }>;

type Judgement = 'decision' | 'code' | 'policy_ids' | 'policy_sha256' | 'mode' | 'would' | 'confirmed';
type Subject = Omit<Intent, 'kind' | Judgement>;
/** What came of a call, apart from whose it was. */
export type CallOutcome = Omit<Outcome, 'kind' | keyof Subject>;

/** The model writes names of tools and servers that do not exist, as long as it likes. */
const MAX_NAME_CHARS = 256;

export const NOTHING_DONE: Omit<CallOutcome, 'outcome'> = {
  error: null,
  vault: null,
  credential: null,
  credential_version: null,
  http_status: null,
  duration_ms: 0,
  secret_echo: false,
};

export function subjectOf(
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

/** What became of the wish to make a call, and whether a person had confirmed it by then. */
export interface JudgedIntent {
  readonly judged: Pick<Judged, 'decision'>;
  readonly isConfirmed: boolean;
}

export function intentOf(subject: Subject, { judged: { decision }, isConfirmed }: JudgedIntent): Intent {
  return {
    kind: 'intent',
    ...subject,
    decision: decision.decision,
    code: decision.code,
    policy_ids: [...decision.policyIds],
    policy_sha256: decision.policySha256,
    mode: decision.mode,
    would: decision.would,
    confirmed: isConfirmed,
  };
}

/** A call that may not be made, in both of its records. Throws `Fault` `audit_unavailable`. */
export async function recordDenial(
  world: Pick<McpProxyWorld, 'audit' | 'sha256'>,
  caller: Caller,
  denied: { readonly call: WantedCall; readonly judged: Judged; readonly isConfirmed: boolean },
): Promise<void> {
  const subject = subjectOf(world, caller, denied);
  const error = denied.judged.decision.code;
  const { workspace, key } = caller;
  await world.audit.record(workspace, key.session, intentOf(subject, denied));
  await world.audit.record(workspace, key.session, {
    kind: 'outcome',
    ...subject,
    ...NOTHING_DONE,
    outcome: 'denied',
    error,
  });
}
