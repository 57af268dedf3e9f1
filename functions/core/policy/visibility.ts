/**
 * Relaxed policies know no arguments and permit at least what the real policies could permit. A tool that they deny is
 * denied with any arguments, so it is not offered. Cedar judges them as fast as the real ones; its partial evaluation
 * would parse the whole set again for each tool.
 */
import type { Condition, NamedPolicy } from '#core/policy/policy-set.ts';
import { isWithinDepth } from '#core/tools/json-schema.ts';

/** Cedar reads JSON of at most 128 levels; two levels stand for one operator. */
const MAX_DEPTH = 100;

/** Attributes of the context that are the same for every call of a tool. */
const STEADY = new Set(['thread_primary', 'hints']);

export function relax(policies: readonly NamedPolicy[]): readonly NamedPolicy[] {
  return policies.flatMap((policy) => {
    const { effect, conditions } = policy.json;
    if (effect === 'forbid') return conditions.some(({ body }) => isUnread(body)) ? [] : [policy];
    return [{ ...policy, json: { ...policy.json, conditions: conditions.flatMap(relaxCondition) } }];
  });
}

/** Drops the parts of a permit's condition that depend on the call: fewer conditions permit more. */
function relaxCondition({ kind, body }: Condition): readonly Condition[] {
  if (!isUnread(body)) return [{ kind, body }];
  if (kind === 'unless') return [];
  return conjuncts(body)
    .filter((part) => !isUnread(part))
    .map((part) => ({ kind, body: part }));
}

function conjuncts(node: unknown): readonly unknown[] {
  const both = isNode(node) && isNode(node['&&']) ? node['&&'] : null;
  return both === null ? [node] : [...conjuncts(both['left']), ...conjuncts(both['right'])];
}

/** Whether an expression is left out: it depends on the call, or is too deep to be read as JSON. */
function isUnread(node: unknown): boolean {
  return isOpen(node) || !isWithinDepth(node, MAX_DEPTH);
}

/** Whether an expression depends on a part of the context that differs from call to call. */
function isOpen(node: unknown): boolean {
  if (Array.isArray(node)) return node.some(isOpen);
  if (!isNode(node)) return false;
  if (isSteady(node)) return false;
  return node['Var'] === 'context' || Object.values(node).some(isOpen);
}

/** `context.call.thread_primary` and the like. */
function isSteady(node: Readonly<Record<string, unknown>>): boolean {
  const access = isNode(node['.']) ? node['.'] : null;
  const call = isNode(access?.['left']) && isNode(access['left']['.']) ? access['left']['.'] : null;
  const isCall = call?.['attr'] === 'call' && isNode(call['left']) && call['left']['Var'] === 'context';
  return isCall && STEADY.has(String(access?.['attr']));
}

function isNode(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
