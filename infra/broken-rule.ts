/** What is wrong with an option, as one sentence: where it is and the rule, never the value. */
import type * as z from 'zod';

/** `connect.issuer: expected string, received undefined` */
export function brokenRule(option: string, issue: z.core.$ZodIssue): string {
  const path = [option, ...issue.path].map(String).join('.');
  if (issue.code === 'unrecognized_keys') return `${path}.${issue.keys[0] ?? ''}: is not a known field`;
  return `${path}: ${issue.message.replace(/^Invalid input: /, '')}`;
}
