/**
 * Signs the heads of a workspace's chains. A head that was signed once is signed again until its chain has grown over
 * it, so each signature tells what was removed before it, as far as an earlier signature had it.
 */
import { AUDIT_CHAINS, type AuditHeads, type SignedAuditHeads } from '#contract/audit.ts';
import type { Instant, WorkspaceId } from '#contract/ids.ts';
import type { ChainEnds, HeadsKey, KeptHeads } from '#core/ports/audit.ts';
import { canonicalJson } from '#core/ports/canonical-json.ts';
import { Fault } from '#core/ports/errors.ts';

export interface SigningPorts {
  readonly ends: ChainEnds;
  readonly key: HeadsKey;
  readonly kept: KeptHeads;
  readonly now: () => Instant;
}

type Head = AuditHeads['heads'][number];

interface Judged {
  readonly heads: readonly Head[];
  /** Chains that do not contain the head that was signed. */
  readonly cut: readonly string[];
  /** Whether there is more than what was signed. */
  readonly isNew: boolean;
  /** Of the signed heads that are kept; null when there are none. */
  readonly version: string | null;
}

/** Another signing of the same workspace was faster each time; one takes a fraction of a second. */
const MAX_ATTEMPTS = 10;

/** The heads of this moment. They are kept before this answers. */
export async function signHeads(
  ports: SigningPorts,
  workspace: WorkspaceId,
): Promise<Pick<Judged, 'cut'> & { readonly signed: SignedAuditHeads }> {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    const judged = await judgeHeads(ports, workspace);
    const signed = await sign(ports, workspace, judged);
    const isKept = !judged.isNew || (await ports.kept.keep(signed, judged.version)) === 'kept';
    if (isKept) return { signed, cut: judged.cut };
  }
  throw new Fault('audit_unavailable', `the heads of ${workspace} were signed by ${MAX_ATTEMPTS} others at once`);
}

/** Signs and keeps what was added since the last signature, if anything was. After a conflict, others have kept it. */
export async function keepHeads(ports: SigningPorts, workspace: WorkspaceId): Promise<Pick<Judged, 'cut'>> {
  const judged = await judgeHeads(ports, workspace);
  if (judged.isNew) await ports.kept.keep(await sign(ports, workspace, judged), judged.version);
  return judged;
}

/** An administrator of the table could take a workspace out there, so those that were signed before count too. */
export async function* signedWorkspaces({ ends, kept }: SigningPorts): AsyncGenerator<WorkspaceId> {
  const seen = new Set<WorkspaceId>();
  for (const workspaces of [kept.workspaces(), ends.workspaces()]) {
    for await (const workspace of workspaces) {
      if (!seen.has(workspace)) yield workspace;
      seen.add(workspace);
    }
  }
}

function sign({ key, now }: SigningPorts, workspace: WorkspaceId, { heads }: Judged): Promise<SignedAuditHeads> {
  return key.sign({ type: 'audit_heads', workspace, at: now(), heads: [...heads] });
}

async function judgeHeads(ports: SigningPorts, workspace: WorkspaceId): Promise<Judged> {
  const kept = await ports.kept.find(workspace);
  if (kept !== null && (kept.heads.workspace !== workspace || !(await ports.key.isOurs(kept.heads)))) {
    throw new Fault(
      'stored_data_invalid',
      `the kept heads of ${workspace} do not have the signature of this deployment`,
    );
  }
  const judged = await Promise.all(
    AUDIT_CHAINS.map((chain, index) => judgeHead(ports, workspace, kept?.heads.heads[index] ?? none(chain))),
  );
  const heads = judged.map(({ head }) => head);
  const before = kept?.heads.heads ?? AUDIT_CHAINS.map(none);
  return {
    heads,
    cut: judged.filter(({ isCut }) => isCut).map(({ head }) => head.chain),
    isNew: canonicalJson(before) !== canonicalJson(heads),
    version: kept?.version ?? null,
  };
}

async function judgeHead(
  { ends }: SigningPorts,
  workspace: WorkspaceId,
  before: Head,
): Promise<{ readonly head: Head; readonly isCut: boolean }> {
  const { chain, position, hash } = before;
  const last = await ends.last(workspace, chain);
  const there = position === 0 || last?.position === position ? last : await ends.at(workspace, chain, position);
  // A chain that was cut and has grown again has another record at that position.
  if (position > 0 && there?.hash !== hash) return { head: before, isCut: true };
  return { head: last === null ? before : { chain, position: last.position, hash: last.hash }, isCut: false };
}

function none(chain: string): Head {
  return { chain, position: 0, hash: null };
}
