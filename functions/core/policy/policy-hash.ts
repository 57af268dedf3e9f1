/** What decides, in one hash: the policies and what becomes of the rest. */
import type { WorkspacePolicy } from '#contract/policy.ts';
import { canonicalJson, type Sha256 } from '#core/ports/canonical-json.ts';

export function policyHash(policy: Pick<WorkspacePolicy, 'policies' | 'default'>, sha256: Sha256): string {
  return sha256(canonicalJson({ default: policy.default, policies: policy.policies }));
}
