/** What the proxy asks the service: who a caller is and what it may do, and to keep what callers did. */
import type { EgressReport, Grant, GrantRequest } from '#contract/egress.ts';

export interface EgressFunction {
  /** Rejects when the function cannot be reached or answers something else. That is never a grant. */
  grant(asked: Omit<GrantRequest, 'ask'>): Promise<Grant>;
  /** Resolves when the uses are kept. Each record of the trail carries the id, so that a repeat can be told. */
  report(report: Omit<EgressReport, 'ask'>): Promise<void>;
}
