import type { AuditHeads } from '#contract/audit.ts';
import { canonicalJson } from '#core/ports/canonical-json.ts';

/** The text that the signature of heads is over. */
export function signedText({ type, workspace, at, heads }: AuditHeads): string {
  return canonicalJson({ type, workspace, at, heads } satisfies AuditHeads);
}
