/** The ports with which people save policies and approve tools, and the audit entry of both. */
import type { AuditEntry } from '#contract/audit.ts';
import type { Audit } from '#core/ports/audit.ts';
import type { Sha256 } from '#core/ports/canonical-json.ts';
import type { ToolPins } from '#core/ports/tool-pins.ts';
import type { PolicyCheck, PolicyRecords } from '#core/ports/policy.ts';
import type { Stamp } from '#core/ports/stamp.ts';

export interface GovernanceWorld {
  readonly policies: PolicyRecords;
  readonly check: PolicyCheck;
  readonly pins: ToolPins;
  readonly audit: Audit;
  readonly stamp: Pick<Stamp, 'now'>;
  readonly sha256: Sha256;
}

/** `what` names the policy or tool by its hash, never by its content. */
export function deed(action: 'policy.saved' | 'tool.approved', outcome: 'done' | 'denied', what: string): AuditEntry {
  const nobody = { vault: null, credential: null, connect: null, user: null };
  return { kind: 'administration', action, ...nobody, outcome, reason: what };
}
