/** Policies validated by Cedar before they are saved. */
import type * as Cedar from '@cedar-policy/cedar-wasm/nodejs';
import type { CedarSchema } from '#core/policy/cedar-schema.ts';
import type { CheckedPolicies, KnownTool, PolicyCheck, PolicyProblem } from '#core/ports/policy.ts';
import { limitBroken } from '#core/policy/text-limits.ts';
import { cedarActions } from '#core/policy/cedar-schema.ts';
import { actionsOf, strayServers } from '#core/policy/policy-set.ts';
import { validationParts } from '#core/policy/validation-parts.ts';
import { guarded, isCurrent, loadCedar } from '#aws/policy/cedar-module.ts';
import { problemsOf, readPolicies, type NumberedPolicy } from '#aws/policy/cedar-text.ts';

export function createPolicyCheck(): PolicyCheck {
  return {
    async check(text, tools) {
      const limit = limitBroken(text);
      if (limit !== null) return { problems: [limit], unchecked: [] };
      const cedar = await loadCedar();
      try {
        return guarded(() => checked(cedar, text, tools));
      } catch (error) {
        if (isCurrent(cedar)) throw error;
        // The text has exhausted Cedar, which is then a new module.
        return {
          problems: [{ at: null, policy: null, message: 'are too much for Cedar: make them simpler' }],
          unchecked: [],
        };
      }
    },
  };
}

function checked(cedar: typeof Cedar, text: string, tools: readonly KnownTool[]): CheckedPolicies {
  const read = readPolicies(cedar, text);
  if (read.status === 'broken') return { problems: read.problems, unchecked: [] };
  return validate(cedar, { text, policies: read.policies, tools });
}

interface Candidate {
  readonly text: string;
  readonly policies: readonly NumberedPolicy[];
  readonly tools: readonly KnownTool[];
}

function validate(cedar: typeof Cedar, { text, policies, tools }: Candidate): CheckedPolicies {
  const known = cedarActions(tools);
  const unchecked = policies
    .map(({ id, ...policy }) => ({
      policy: id,
      actions: actionsOf({ id, ...policy }).filter((name) => !known.has(name)),
    }))
    .filter(({ actions }) => actions.length > 0);
  const skipped = new Set(unchecked.map(({ policy }) => policy));
  const parts = validationParts(policies, tools);
  if (typeof parts === 'string') return { problems: [{ at: null, policy: null, message: parts }], unchecked };
  const byCedarId = new Map(policies.map(({ cedarId, id }) => [cedarId, id]));
  const starts = startsIn(text, policies);
  const mistyped: PolicyProblem[] = [];
  for (const { policies: same, schema } of parts) {
    const checked = same.filter(({ id }) => !skipped.has(id));
    if (checked.length === 0) continue;
    const staticPolicies = Object.fromEntries(checked.map((policy) => [policy.cedarId, policy.text]));
    const answer = cedar.validate({ schema: asCedar(schema), policies: { staticPolicies } });
    if (answer.type === 'failure') return { problems: problemsOf(answer.errors, text), unchecked };
    for (const { policyId, error } of answer.validationErrors) {
      mistyped.push(
        ...problemsOf([moved(error, starts.get(policyId) ?? 0)], text, byCedarId.get(policyId) ?? policyId),
      );
    }
  }
  const stray = policies.flatMap((policy) =>
    strayServers(policy).map((message) => ({ at: null, policy: policy.id, message })),
  );
  return { problems: [...mistyped, ...stray], unchecked };
}

/** The byte at which each policy begins, by Cedar's name for it. */
function startsIn(text: string, policies: readonly NumberedPolicy[]): ReadonlyMap<string, number> {
  const starts = new Map<string, number>();
  const numberOf = ({ cedarId }: NumberedPolicy) => Number(cedarId.replace('policy', ''));
  let chars = 0;
  let bytes = 0;
  for (const policy of policies.toSorted((one, other) => numberOf(one) - numberOf(other))) {
    const at = text.indexOf(policy.text, chars);
    bytes += Buffer.byteLength(text.slice(chars, at));
    starts.set(policy.cedarId, bytes);
    chars = at;
  }
  return starts;
}

/** Places in a policy's own text become places in the whole text. */
function moved(error: Cedar.DetailedError, by: number): Cedar.DetailedError {
  const move = <Place extends { start: number; end: number }>(place: Place): Place => ({
    ...place,
    start: place.start + by,
    end: place.end + by,
  });
  return { ...error, ...(error.sourceLocations && { sourceLocations: error.sourceLocations.map(move) }) };
}

/** Cedar's type has the same shape and further fields that are not used here. */
function asCedar(schema: CedarSchema): Cedar.Schema {
  return schema as unknown as Cedar.Schema;
}
