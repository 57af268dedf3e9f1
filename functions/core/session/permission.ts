/** The permission of one call by the agent's permission policy and the workspace's policies. */
import type { Evaluation, EventOf } from '#contract/events.ts';
import type { McpVerdict } from '#contract/mcp-proxy.ts';
import type { PermissionPolicy } from '#contract/permission-policy.ts';

type Permission = Pick<EventOf<'agent.tool_use'>, 'evaluated_permission' | 'evaluation'>;

/** This service has no judge for `auto`, so `auto` asks. */
const EVALUATIONS: Readonly<Record<PermissionPolicy['type'], Evaluation>> = {
  always_allow: { type: 'always_allow' },
  always_ask: { type: 'always_ask' },
  auto: { type: 'auto', evaluated_permission: { type: 'ask', reason_code: 'indeterminate' } },
};

export function permissionOf(
  policy: PermissionPolicy['type'],
  { denial, verdict }: { readonly denial: string | null; readonly verdict: McpVerdict | undefined },
): Permission {
  // The workspace denies: no policy of the agent applied, so the event has no evaluation.
  if (verdict?.decision === 'deny') return { evaluated_permission: 'deny' };
  // The agent's policy would not ask; the workspace's does for this call, and the wire's word for that is `auto`.
  const asksAnyway = policy === 'always_allow' && verdict?.decision === 'ask';
  const evaluation = EVALUATIONS[asksAnyway ? 'auto' : policy];
  if (denial !== null) return { evaluated_permission: 'deny', evaluation };
  return { evaluated_permission: evaluation.type === 'always_allow' ? 'allow' : 'ask', evaluation };
}
