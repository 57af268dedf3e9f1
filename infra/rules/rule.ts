import type { Resource, Template } from './template.ts';

export type Verdict = 'compliant' | 'not-compliant' | 'not-applicable';

/** A fact of the design that the template must keep. What a rule cannot judge is not compliant. */
export interface Rule {
  readonly id: string;
  /** What breaks without it. */
  readonly reason: string;
  readonly judge: (resource: Resource, template: Template) => Verdict;
}

export function compliantIf(holds: boolean): Verdict {
  return holds ? 'compliant' : 'not-compliant';
}
