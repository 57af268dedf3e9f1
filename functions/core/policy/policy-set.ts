/** Policies as Cedar's parser returns them, and the checks of a set before it judges any call. */
import type { WorkspacePolicy } from '#contract/policy.ts';
import { canonicalJson, type Sha256 } from '#core/ports/canonical-json.ts';
import { canonicalServerUrl } from '#core/vault/server-url.ts';

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

/** Permits all that no policy forbids, where the workspace's default is to permit. */
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

/** `@advice("ask")`: a person has to confirm what this policy permits. */
export function asks({ json }: NamedPolicy): boolean {
  return json.annotations?.['advice'] === 'ask';
}

const MAX_REASON_CHARS = 500;

/** The rule of this service that a policy breaks although Cedar accepts it; null when it breaks none. */
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

/** The ids of all entities of one type that a policy mentions, outside of its annotations. */
function entitiesOf({ json }: NamedPolicy, type: string): readonly string[] {
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

const SERVER = 'MA::McpServer';

/**
 * What is wrong with the servers that a policy names. Cedar compares names letter by letter, and a server has one name: a
 * URL in another form matches no call, and a forbid would forbid nothing.
 */
export function strayServers(policy: NamedPolicy): readonly string[] {
  return entitiesOf(policy, SERVER).flatMap((url) => {
    const canonical = canonicalServerUrl(url);
    if (canonical === url) return [];
    // The URL may hold a password, so the message does not repeat it.
    if (canonical === null) return [`${SERVER}: must be an http or https URL without user and password`];
    return [`${serverLiteral(url)} is the name of no server: write ${serverLiteral(canonical)}`];
  });
}

function serverLiteral(url: string): string {
  return `${SERVER}::${JSON.stringify(url)}`;
}

/** One hash of all that decides: the policies, and the default for calls that no policy matches. */
export function policyHash(policy: Pick<WorkspacePolicy, 'policies' | 'default'>, sha256: Sha256): string {
  return sha256(canonicalJson({ default: policy.default, policies: policy.policies }));
}
