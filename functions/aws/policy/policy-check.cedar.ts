/** Policies validated by Cedar before they are saved. */
import type * as Cedar from '@cedar-policy/cedar-wasm/nodejs';
import { cedarSchema, type CedarSchema } from '#core/policy/cedar-schema.ts';
import type { CheckedPolicies, KnownTool, PolicyCheck } from '#core/ports/policy.ts';
import { limitBroken } from '#core/policy/text-limits.ts';
import { actionsOf, strayServers } from '#core/policy/policy-set.ts';
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
  const schema = cedarSchema(tools);
  const known = new Set(Object.keys(schema.MA.actions));
  const unchecked = policies
    .map(({ id, ...policy }) => ({
      policy: id,
      actions: actionsOf({ id, ...policy }).filter((name) => !known.has(name)),
    }))
    .filter(({ actions }) => actions.length > 0);
  const skipped = new Set(unchecked.map(({ policy }) => policy));
  const answer = cedar.validate({ schema: asCedar(schema), policies: { staticPolicies: text } });
  if (answer.type === 'failure') return { problems: problemsOf(answer.errors, text), unchecked };
  const byCedarId = new Map(policies.map((policy) => [policy.cedarId, policy.id]));
  const mistyped = answer.validationErrors.flatMap(({ policyId, error }) => {
    const id = byCedarId.get(policyId) ?? policyId;
    return skipped.has(id) ? [] : problemsOf([error], text, id);
  });
  const stray = policies.flatMap((policy) =>
    strayServers(policy).map((message) => ({ at: null, policy: policy.id, message })),
  );
  return { problems: [...mistyped, ...stray], unchecked };
}

/** Cedar's type has the same shape and further fields that are not used here. */
function asCedar(schema: CedarSchema): Cedar.Schema {
  return schema as unknown as Cedar.Schema;
}
