/** Parses Cedar's text: its policies by name, and its problems by line. */
import type * as Cedar from '@cedar-policy/cedar-wasm/nodejs';
import { ruleBroken, type NamedPolicy, type PolicyJson } from '#core/policy/policy-set.ts';
import type { PolicyProblem } from '#core/ports/policy.ts';

export interface NumberedPolicy extends NamedPolicy {
  /** Cedar's name for it when Cedar reads the whole text. */
  readonly cedarId: string;
  readonly text: string;
}

type PoliciesRead =
  | { readonly status: 'read'; readonly policies: readonly NumberedPolicy[] }
  | { readonly status: 'broken'; readonly problems: readonly PolicyProblem[] };

export function readPolicies(cedar: typeof Cedar, text: string): PoliciesRead {
  const parts = cedar.policySetTextToParts(text);
  if (parts.type === 'failure') return broken(problemsOf(parts.errors, text));
  if (parts.policy_templates.length > 0) return broken([whole('templates are not used: write the policy itself')]);
  // The parts come in the order of their names as text: policy10 before policy2.
  const cedarIds = parts.policies.map((_, index) => `policy${index}`).toSorted();
  const policies = parts.policies.map((part, index) => named(cedar, cedarIds[index] ?? '', part));
  const problems = [...policies.flatMap(brokenRule), ...duplicates(policies)];
  return problems.length > 0 ? broken(problems) : { status: 'read', policies };
}

function broken(problems: readonly PolicyProblem[]): PoliciesRead {
  return { status: 'broken', problems };
}

function whole(message: string, policy: string | null = null): PolicyProblem {
  return { at: null, policy, message };
}

function named(cedar: typeof Cedar, cedarId: string, text: string): NumberedPolicy {
  const parsed = cedar.policyToJson(text);
  if (parsed.type === 'failure') throw new Error(`Cedar does not read its own ${cedarId}`);
  const json = parsed.json as PolicyJson;
  return { id: json.annotations?.['id'] ?? cedarId, cedarId, text, json };
}

function brokenRule(policy: NumberedPolicy): readonly PolicyProblem[] {
  const rule = ruleBroken(policy);
  return rule === null ? [] : [whole(rule, policy.id)];
}

function duplicates(policies: readonly NumberedPolicy[]): readonly PolicyProblem[] {
  const byId = Map.groupBy(policies, ({ id }) => id);
  const taken = [...byId].filter(([, same]) => same.length > 1);
  return taken.map(([id]) => whole('@id: must be unique among the policies', id));
}

/** Cedar counts bytes. */
export function problemsOf(
  errors: readonly Cedar.DetailedError[],
  text: string,
  policy: string | null = null,
): readonly PolicyProblem[] {
  return errors.map(({ message, help, sourceLocations: [location] = [] }) => {
    const said = message.replace(/^failed to parse policies from string: |^for policy `\w+`, /, '');
    const expected = location?.label == null ? '' : `, ${location.label}`;
    const hint = help === null ? '' : ` (${help})`;
    const at = location === undefined ? null : placeAt(text, location.start);
    return { at, policy, message: `${said}${expected}${hint}` };
  });
}

function placeAt(text: string, offset: number): { readonly line: number; readonly column: number } {
  const lines = Buffer.from(text).subarray(0, offset).toString().split('\n');
  return { line: lines.length, column: [...(lines.at(-1) ?? '')].length + 1 };
}
