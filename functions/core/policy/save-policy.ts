/** Saves a new version of a workspace's policies: it is checked, recorded in the audit trail, and then in force. */
import type { AuditEntry } from '#contract/audit.ts';
import type { ApiKeyId, WorkspaceId } from '#contract/ids.ts';
import type { PolicyCreate, SavedPolicy, WorkspacePolicy } from '#contract/policy.ts';
import type { PolicyProblem } from '#core/ports/policy.ts';
import type { Ports } from '#core/ports/ports.ts';
import { policyHash } from '#core/policy/policy-set.ts';
import { refuse, type RequestRefusal } from '#core/ports/errors.ts';

/** The audit chain that holds all changes of policies, so that they can be read together. */
const ABOUT = 'policies';
const MAX_TOLD = 10;

/** The API key that changes the rules of its workspace. */
export interface Governor {
  readonly workspace: WorkspaceId;
  readonly apiKey: ApiKeyId;
}

type PolicyPorts = Pick<Ports, 'policyRecords' | 'policyCheck' | 'pins' | 'audit' | 'stamp' | 'sha256'>;

export async function savePolicy(
  world: PolicyPorts,
  { workspace, apiKey }: Governor,
  body: PolicyCreate,
): Promise<SavedPolicy | RequestRefusal> {
  const [pointer, tools] = await Promise.all([world.policyRecords.pointer(workspace), world.pins.manifests(workspace)]);
  const latest = pointer?.version ?? 0;
  if (body.if_version !== undefined && body.if_version !== latest) return moved(latest);
  const { problems, unchecked } = await world.policyCheck.check(body.policies, tools);
  if (problems.length > 0) return refuse('invalid_request_error', `policies: ${told(problems)}`);
  const policy = versionAfter(world, latest, body);
  const what = `version ${policy.version}, ${policy.mode}, default ${policy.default}, sha256 ${policy.sha256}`;
  // The record comes first: every version that ever decided a call must be in the audit trail.
  await world.audit.record(workspace, ABOUT, governanceEntry('policy.saved', { apiKey, outcome: 'done', what }));
  if ((await world.policyRecords.saveNext(workspace, policy)) === 'saved') {
    return {
      ...policy,
      unchecked: unchecked.map(({ policy: id, actions }) => ({ policy: id, actions: [...actions] })),
    };
  }
  await world.audit.record(
    workspace,
    ABOUT,
    governanceEntry('policy.saved', { apiKey, outcome: 'denied', what: `${what}: another was saved before it` }),
  );
  return moved(policy.version);
}

/** For the audit trail. `what` names the policy or tool by its hash, never by its content. */
export function governanceEntry(
  action: 'policy.saved' | 'tool.approved',
  { apiKey, outcome, what }: { readonly apiKey: ApiKeyId; readonly outcome: 'done' | 'denied'; readonly what: string },
): AuditEntry {
  const noUser = { vault: null, credential: null, connect: null, user: null };
  return { kind: 'administration', action, ...noUser, api_key: apiKey, outcome, reason: what };
}

function versionAfter({ stamp, sha256 }: PolicyPorts, latest: number, body: PolicyCreate): WorkspacePolicy {
  const { policies, mode, default: otherwise } = body;
  const version = latest + 1;
  const hash = policyHash({ policies, default: otherwise }, sha256);
  return { type: 'policy', version, mode, default: otherwise, sha256: hash, created_at: stamp.now(), policies };
}

function moved(latest: number): RequestRefusal {
  return refuse('conflict_error', `if_version: the latest version is ${latest}; read it and decide again`);
}

function told(problems: readonly PolicyProblem[]): string {
  const lines = problems.slice(0, MAX_TOLD).map(({ at, policy, message }) => {
    const place = at === null ? [] : [`line ${at.line}, column ${at.column}`];
    return [...place, ...(policy === null ? [] : [policy]), message].join(': ');
  });
  const rest = problems.length - lines.length;
  return [...lines, ...(rest > 0 ? [`and ${rest} more`] : [])].join('; ');
}
