/** What an agent's permission policy, and the workspace's, make of one call. */
import type { Evaluation, EventOf } from '#contract/events.ts';
import type { McpVerdict } from '#contract/mcp-proxy.ts';
import type { PermissionPolicy } from '#contract/permission-policy.ts';

type Permission = Pick<EventOf<'agent.tool_use'>, 'evaluated_permission' | 'evaluation'>;

/** Nothing here judges calls by itself, so `auto` asks. */
const EVALUATIONS: Readonly<Record<PermissionPolicy['type'], Evaluation>> = {
  always_allow: { type: 'always_allow' },
  always_ask: { type: 'always_ask' },
  auto: { type: 'auto', evaluated_permission: { type: 'ask', reason_code: 'indeterminate' } },
};

export function permissionOf(
  policy: PermissionPolicy['type'],
  { denial, verdict }: { readonly denial: string | null; readonly verdict: McpVerdict | undefined },
): Permission {
  // Refused by the workspace: no policy of the agent came to apply, which is told by leaving it out.
  if (verdict?.decision === 'deny') return { evaluated_permission: 'deny' };
  // The agent's policy would not have asked. What did is a judgement of this call, for which the wire has one word.
  const asksAnyway = policy === 'always_allow' && verdict?.decision === 'ask';
  const evaluation = EVALUATIONS[asksAnyway ? 'auto' : policy];
  if (denial !== null) return { evaluated_permission: 'deny', evaluation };
  return { evaluated_permission: evaluation.type === 'always_allow' ? 'allow' : 'ask', evaluation };
}
