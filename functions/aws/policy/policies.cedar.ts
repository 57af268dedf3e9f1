/**
 * Policies judged by Cedar, in process. The text is parsed once per version. The version in force is read every few
 * seconds, and while it cannot be read, every call is denied.
 */
import type * as Cedar from '@cedar-policy/cedar-wasm/nodejs';
import type { WorkspaceId } from '#contract/ids.ts';
import type { PolicyPointer } from '#contract/policy.ts';
import { Fault } from '#core/ports/errors.ts';
import { argumentTypes } from '#core/policy/argument-types.ts';
import { normalizeArguments } from '#core/policy/arguments.ts';
import { callRequest, toolRequest, type CedarRequest } from '#core/policy/cedar-request.ts';
import {
  decisionOf,
  NO_POLICY,
  UNREADABLE,
  type Evaluation,
  type JudgingSet,
  type PolicyError,
} from '#core/policy/decision.ts';
import type { CallFacts, Policies, PolicyRecords } from '#core/ports/policy.ts';
import { DEFAULT_PERMIT, policyHash, type NamedPolicy } from '#core/policy/policy-set.ts';
import { limitBroken } from '#core/policy/text-limits.ts';
import { relax } from '#core/policy/visibility.ts';
import { sha256 } from '#aws/stamp.ts';
import { guarded, isCurrent, loadCedar, type CedarModule } from '#aws/policy/cedar-module.ts';
import { readPolicies } from '#aws/policy/cedar-text.ts';

/** A switch to `enforce` must take effect within ten seconds on every instance. */
const POLL_MS = 5000;

interface CompiledSet extends JudgingSet {
  /** What is prepared is in this module. */
  readonly cedar: CedarModule;
  /** The policies' own names, by Cedar's numbers. */
  readonly names: ReadonlyMap<string, string>;
  /** The name under which Cedar holds the relaxed set, for lists of tools; it is prepared at the first use. */
  readonly visibleSlot: () => string;
}

/** A version that is more than Cedar can judge: its calls are denied, unless it is in shadow mode. */
interface UnusableSet extends JudgingSet {
  readonly cedar: null;
}

interface Watched {
  readonly since: number;
  /** Null while the workspace has no policy. */
  readonly set: Promise<CompiledSet | UnusableSet | null>;
}

interface PoliciesOptions {
  readonly records: Pick<PolicyRecords, 'pointer' | 'version'>;
  readonly nowMs: () => number;
}

export function createPolicies({ records, nowMs }: PoliciesOptions): Policies {
  const watched = new Map<WorkspaceId, Watched>();

  /** Uses the set in force at once: another workspace's policies may exhaust Cedar whenever this function waits. */
  async function withSet<Value>(
    workspace: WorkspaceId,
    use: (set: CompiledSet | UnusableSet | 'none' | 'unreadable') => Value,
  ): Promise<Value> {
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- the set is prepared again in Cedar's new module
      const set = await latest(workspace).catch(() => 'unreadable' as const);
      if (set === null) return use('none');
      if (set === 'unreadable' || set.cedar === null || isCurrent(set.cedar)) return use(set);
      watched.delete(workspace);
    }
  }

  function latest(workspace: WorkspaceId): Watched['set'] {
    const known = watched.get(workspace);
    if (known !== undefined && nowMs() - known.since < POLL_MS) return known.set;
    const set = read(workspace, known?.set);
    const fresh = { since: nowMs(), set };
    watched.set(workspace, fresh);
    // After a failed read, the next call reads again.
    set.catch(() => watched.get(workspace) === fresh && watched.delete(workspace));
    return set;
  }

  async function read(workspace: WorkspaceId, known: Watched['set'] | undefined): Watched['set'] {
    const [pointer, before] = await Promise.all([records.pointer(workspace), known?.catch(() => null)]);
    if (pointer === null) return null;
    const isSame = before?.sha256 === pointer.sha256;
    if (isSame && before.cedar !== null && isCurrent(before.cedar)) return { ...before, mode: pointer.mode };
    const document = await records.version(workspace, pointer.version);
    if (document === null || policyHash(document, sha256) !== pointer.sha256) throw notAsSaved(pointer);
    const cedar = await loadCedar();
    const unusable: UnusableSet = { cedar: null, sha256: pointer.sha256, mode: pointer.mode, policies: new Map() };
    try {
      return guarded(() => compile(cedar, pointer, document.policies)) ?? unusable;
    } catch (error) {
      if (isCurrent(cedar)) throw error;
      return unusable;
    }
  }

  return {
    decide(facts, input) {
      return withSet(facts.workspace, (set) => {
        if (set === 'unreadable') return UNREADABLE;
        return set === 'none' ? NO_POLICY : decisionOf(set, evaluate(set, facts, input), facts.isConfirmed);
      });
    },

    isVisible(facts) {
      return withSet(facts.workspace, (set) => {
        if (set === 'unreadable') return false;
        if (set === 'none' || set.mode === 'shadow') return true;
        if (set.cedar === null) return false;
        const judged = ask(set, set.visibleSlot, toolRequest(facts));
        // A policy that fails without arguments hides no tool.
        return judged.status === 'judged' && (judged.decision === 'allow' || judged.errors.length > 0);
      });
    },

    async prepare(workspace) {
      // When the read fails, the judgement denies.
      await latest(workspace).catch(() => null);
    },
  };
}

function evaluate(
  set: CompiledSet | UnusableSet,
  facts: CallFacts,
  input: Readonly<Record<string, unknown>>,
): Evaluation {
  if (set.cedar === null) return UNJUDGED;
  const args = normalizeArguments(input, argumentTypes(facts.tool.input_schema));
  if (args.status === 'unjudged') return { status: 'failed', why: args.why };
  return ask(set, () => set.sha256, callRequest(facts, args));
}

const UNJUDGED: Evaluation = { status: 'failed', why: 'it can not be put to them' };

function ask({ cedar, names }: CompiledSet, slot: () => string, request: CedarRequest): Evaluation {
  try {
    const answer = guarded(() => cedar.statefulIsAuthorized({ ...request, preparsedPolicySetId: slot() }));
    if (answer.type === 'failure') return UNJUDGED;
    const { decision, diagnostics } = answer.response;
    const named = (id: string) => names.get(id) ?? id;
    const errors = diagnostics.errors
      .map(({ policyId, error }) => policyError(named(policyId), error.message))
      .toSorted((one, other) => (one.id < other.id ? -1 : 1));
    return { status: 'judged', decision, reason: diagnostics.reason.map(named).toSorted(), errors };
  } catch {
    // Cedar throws, for example, for text that is not well formed; after any error the call is not judged.
    return UNJUDGED;
  }
}

const NO_NUMBER = /expected (?:decimal|long), got \(entity of type `MA::Opaque`\)/;

/** Cedar tells the reason only in its message. The call is denied for any reason. */
function policyError(id: string, message: string): PolicyError {
  return { id, why: NO_NUMBER.test(message) ? 'number' : 'other' };
}

/** Null for a text that exceeds a limit. */
function compile(cedar: CedarModule, pointer: PolicyPointer, text: string): CompiledSet | null {
  if (limitBroken(text) !== null) return null;
  const read = readPolicies(cedar, text);
  if (read.status === 'broken') throw notAsSaved(pointer);
  const { sha256: hash, mode } = pointer;
  const byDefault = { ...DEFAULT_PERMIT, cedarId: `policy${read.policies.length}` };
  const policies = pointer.default === 'permit' ? [...read.policies, byDefault] : read.policies;
  // Cedar reads the whole text ten times as fast as its policies one by one. The slot is named by the hash, so that a
  // decision by an older version does not change to a newer one halfway.
  prepare(cedar, hash, pointer.default === 'permit' ? `${text}\n${DEFAULT_PERMIT_TEXT}` : text);
  let isRelaxed = false;
  return {
    cedar,
    sha256: hash,
    mode,
    policies: new Map(policies.map((policy) => [policy.id, policy])),
    names: new Map(policies.map(({ cedarId, id }) => [cedarId, id])),
    visibleSlot() {
      const slot = `${hash} visible`;
      if (!isRelaxed) prepare(cedar, slot, asCedar(relax(policies)));
      isRelaxed = true;
      return slot;
    },
  };
}

const DEFAULT_PERMIT_TEXT = 'permit(principal, action, resource);';

function asCedar(policies: readonly NamedPolicy[]): Record<string, Cedar.PolicyJson> {
  return Object.fromEntries(policies.map(({ id, json }) => [id, json as Cedar.PolicyJson]));
}

function prepare(cedar: CedarModule, slot: string, staticPolicies: string | Record<string, Cedar.PolicyJson>): void {
  const prepared = cedar.preparsePolicySet(slot, { staticPolicies });
  if (prepared.type === 'failure') throw new Fault('stored_data_invalid', 'Cedar does not read policies it has read');
}

function notAsSaved({ version }: PolicyPointer): Fault {
  return new Fault('stored_data_invalid', `version ${version} of the policies is not what was saved`);
}
