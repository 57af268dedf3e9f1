import type { Resource, Template } from './template.ts';

type Verdict = 'compliant' | 'not-compliant' | 'not-applicable';

/** A fact of the template on which the design rests. A resource that the rule cannot judge is not compliant. */
export interface Rule {
  readonly id: string;
  /** Says what breaks without the rule. */
  readonly reason: string;
  readonly judge: (resource: Resource, template: Template) => Verdict;
}

export function compliantIf(holds: boolean): Verdict {
  return holds ? 'compliant' : 'not-compliant';
}
