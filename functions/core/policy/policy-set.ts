/** A policy as Cedar's parser tells it, and what is to be known of a set before any call is judged. */

export interface PolicyJson {
  readonly effect: 'permit' | 'forbid';
  readonly principal: unknown;
  readonly action: unknown;
  readonly resource: unknown;
  readonly conditions: readonly Condition[];
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Condition {
  readonly kind: 'when' | 'unless';
  readonly body: unknown;
}

export interface NamedPolicy {
  /** Its `@id`, or `policy` and its number in the text, from 0. */
  readonly id: string;
  readonly json: PolicyJson;
}

/** What permits all that is not forbidden, where that is the workspace's default. */
export const DEFAULT_PERMIT: NamedPolicy = {
  id: 'default_permit',
  json: {
    effect: 'permit',
    principal: { op: 'All' },
    action: { op: 'All' },
    resource: { op: 'All' },
    conditions: [],
  },
};

/** `@advice("ask")`: what this policy permits, a person has to confirm. */
export function asks({ json }: NamedPolicy): boolean {
  return json.annotations?.['advice'] === 'ask';
}

const MAX_REASON_CHARS = 500;

/** Why a policy is bad although Cedar takes it; null when it is not. */
export function ruleBroken({ id, json }: NamedPolicy): string | null {
  const { advice, reason = '' } = json.annotations ?? {};
  if (id === DEFAULT_PERMIT.id) return `@id: "${id}" is the built-in policy’s`;
  if (!/^[\w.:-]{1,64}$/.test(id)) return '@id: must have 1 to 64 letters, digits, "_", ".", ":" and "-"';
  if (advice !== undefined && advice !== 'ask') return '@advice: must be "ask"';
  if (advice !== undefined && json.effect === 'forbid')
    return '@advice: is for a permit; a forbid is never asked about';
  return reason.length > MAX_REASON_CHARS ? `@reason: must have at most ${MAX_REASON_CHARS} characters` : null;
}

/** The names of all actions that a policy mentions, in its scope and in its conditions. */
export function actionsOf(policy: NamedPolicy): readonly string[] {
  return entitiesOf(policy, 'MA::Action');
}

/** The ids of all entities of one type that a policy mentions. Annotations are the author's own and mention none. */
export function entitiesOf({ json }: NamedPolicy, type: string): readonly string[] {
  const { principal, action, resource, conditions } = json;
  const found = collect([principal, action, resource, conditions]);
  return [...new Set(found.filter((entity) => entity.type === type).map(({ id }) => String(id)))];
}

function collect(node: unknown): readonly { readonly type: unknown; readonly id: unknown }[] {
  if (Array.isArray(node)) return node.flatMap(collect);
  if (typeof node !== 'object' || node === null) return [];
  const own = 'type' in node && 'id' in node ? [{ type: node.type, id: node.id }] : [];
  return [...own, ...Object.values(node).flatMap(collect)];
}
