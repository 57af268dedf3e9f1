/** Turns Cedar's answer into a decision about a call. */
import type { PolicyDecision } from '#core/ports/policy.ts';
import { asks, DEFAULT_PERMIT, type NamedPolicy } from '#core/policy/policy-set.ts';

export type Evaluation =
  /** Cedar could not judge it at all. */
  | { readonly status: 'failed'; readonly why: string }
  | {
      readonly status: 'judged';
      readonly decision: 'allow' | 'deny';
      /** Policies that decided. */
      readonly reason: readonly string[];
      /** Policies that could not be evaluated. Cedar ignores them, and with them a forbid that should have applied. */
      readonly errors: readonly PolicyError[];
    };

export interface PolicyError {
  readonly id: string;
  /** `number`: it compares a number that does not fit Cedar's types (`core/policy/arguments.ts`). */
  readonly why: 'number' | 'other';
}

/** The set in force. */
export interface JudgingSet {
  readonly sha256: string;
  readonly mode: 'shadow' | 'enforce';
  readonly policies: ReadonlyMap<string, NamedPolicy>;
}

type Judgement = Pick<PolicyDecision, 'decision' | 'code' | 'reason' | 'policyIds'>;

/** The workspace has no policy, so the agent's own permission policies decide. */
export const NO_POLICY: PolicyDecision = {
  decision: 'allow',
  code: 'default_permit',
  reason: '',
  policyIds: [],
  policySha256: null,
  mode: 'none',
  would: null,
};

/** The workspace may have policies, and they cannot be read. */
export const UNREADABLE: PolicyDecision = {
  ...NO_POLICY,
  decision: 'deny',
  code: 'policies_unreadable',
  reason: 'The policies of this workspace can not be read just now, so no tool of an MCP server may be called.',
  mode: 'enforce',
};

export function decisionOf(set: JudgingSet, evaluation: Evaluation, isConfirmed: boolean): PolicyDecision {
  const judgement = judgementOf(set, evaluation, isConfirmed);
  const { sha256: policySha256, mode } = set;
  if (mode === 'enforce') return { ...judgement, policySha256, mode, would: null };
  const { policyIds, decision: would } = judgement;
  return { decision: 'allow', code: `would_${would}`, reason: '', policyIds, policySha256, mode, would };
}

function judgementOf({ policies }: JudgingSet, evaluation: Evaluation, isConfirmed: boolean): Judgement {
  if (evaluation.status === 'failed') {
    return deny('evaluation_failed', `The policies of this workspace can not judge this call: ${evaluation.why}.`, []);
  }
  const { decision, reason: policyIds, errors } = evaluation;
  const [broken] = errors;
  if (broken !== undefined) return failing(broken, errors);
  const deciding = policyIds.flatMap((id) => policies.get(id) ?? []);
  if (decision === 'deny') {
    const [forbidding] = policyIds;
    if (forbidding === undefined)
      return deny('no_matching_permit', 'No policy of this workspace permits this call.', []);
    return deny('forbidden', reasonOf(deciding) ?? `The policy ${forbidding} forbids this call.`, policyIds);
  }
  const asking = deciding.filter(asks);
  if (asking.length > 0 && !isConfirmed) {
    const reason = reasonOf(asking) ?? 'A person has to confirm this call.';
    return { decision: 'ask', code: 'asks', reason, policyIds };
  }
  const isByDefault = policyIds.every((id) => id === DEFAULT_PERMIT.id);
  const code = asking.length > 0 ? 'confirmed' : isByDefault ? 'default_permit' : 'permitted';
  return { decision: 'allow', code, reason: '', policyIds };
}

function failing({ id, why }: PolicyError, errors: readonly PolicyError[]): Judgement {
  const policyIds = errors.map((error) => error.id);
  const failed = `The policy ${id} can not be evaluated for this call`;
  if (why === 'other') return deny(`policy_error:${id}`, `${failed}.`, policyIds);
  const because = 'a number that it compares has more than four decimals, or is too large to be compared';
  return deny(`policy_error:${id}:number`, `${failed}: ${because}.`, policyIds);
}

/** The reason in the words of the policy's author. */
function reasonOf(policies: readonly NamedPolicy[]): string | undefined {
  return policies
    .map(({ json }) => json.annotations?.['reason'])
    .find((reason) => reason !== undefined && reason !== '');
}

function deny(code: string, reason: string, policyIds: readonly string[]): Judgement {
  return { decision: 'deny', code, reason, policyIds };
}
