/**
 * Cedar types each policy once for each action of the schema, so a hundred kilobytes of policies and two thousand tools take
 * a minute. Policies with the same scope are therefore validated by themselves, against those tools that they can be
 * about, and tools that they cannot tell apart count as one.
 */
import type { KnownTool } from '#core/ports/policy.ts';
import { actionName, CALL_TOOL, hostOf } from '#core/policy/cedar-request.ts';
import { cedarSchema, type CedarSchema } from '#core/policy/cedar-schema.ts';
import { actionsOf, type NamedPolicy } from '#core/policy/policy-set.ts';

interface ValidationPart<Policy> {
  readonly policies: readonly Policy[];
  readonly schema: CedarSchema;
}

interface Written extends NamedPolicy {
  readonly text: string;
}

/** Characters of policies times forms of tools. This many take two seconds of a processor, of which the API has a third. */
const MAX_WORK = 5_000_000;
/** To read the form of a tool, in the same measure. */
const WORK_OF_TOOL = 50;

/** The sentence is the rule that the policies and tools break together. */
export function validationParts<Policy extends Written>(
  policies: readonly Policy[],
  tools: readonly KnownTool[],
): readonly ValidationPart<Policy>[] | string {
  const named = Map.groupBy(tools, ({ url, tool }) => actionName(url, tool.name));
  const byHost = Map.groupBy(tools, ({ url }) => hostOf(url));
  const about = (action: string) => (action === CALL_TOOL ? tools : (named.get(action) ?? byHost.get(action) ?? []));
  const parts: ValidationPart<Policy>[] = [];
  let work = 0;
  for (const same of Map.groupBy(policies, (policy) => scopeOf(policy).join('\n')).values()) {
    const actions = new Set(same.flatMap((policy) => [...scopeOf(policy), ...actionsOf(policy)]));
    const reached = new Set([...actions].flatMap(about));
    const texts = new Set(same.flatMap(({ json }) => textsIn(json.conditions)));
    // A record that is written out may be compared with all arguments together.
    const reads = (argument: string) => texts.has(argument) || texts.has('Record');
    const schema = cedarSchema([...reached], { actions, reads });
    const forms = Object.keys(schema.MA.actions).length;
    work += same.reduce((sum, { text }) => sum + text.length, 0) * forms + reached.size * WORK_OF_TOOL;
    if (work > MAX_WORK) return tooMuch(reached.size, forms);
    parts.push({ policies: same, schema });
  }
  return parts;
}

function tooMuch(tools: number, forms: number): string {
  const rule = `characters of policies times forms of tools must be at most ${MAX_WORK} in all`;
  return `are too long for the tools that they are about, such as ${tools} tools of ${forms} forms: ${rule}; name tools in the scopes of policies, or write fewer about all tools`;
}

/** The actions that the scope names; every action where it names none. */
function scopeOf({ json }: NamedPolicy): readonly string[] {
  const named = actionsOf({ id: '', json: { ...json, principal: null, resource: null, conditions: [] } });
  return named.length === 0 ? [CALL_TOOL] : named.toSorted();
}

/** Every text and name in a condition: one of them may be the name of an argument. */
function textsIn(node: unknown): readonly string[] {
  if (typeof node === 'string') return [node];
  if (Array.isArray(node)) return node.flatMap(textsIn);
  if (typeof node !== 'object' || node === null) return [];
  return Object.entries(node).flatMap(([name, value]) => [name, ...textsIn(value)]);
}
