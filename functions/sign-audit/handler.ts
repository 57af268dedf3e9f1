/** Signs the heads of audit chains: for an export those of one workspace, and every minute all that have grown. */
import { SignAuditRequest, type SignedAuditHeads } from '#contract/audit.ts';
import { errorClass } from '#core/ports/errors.ts';
import type { WorkspaceId } from '#contract/ids.ts';
import { keepHeads, signedWorkspaces, signHeads } from '#core/audit/sign-heads.ts';
import { signAuditWorld } from '#aws/worlds/sign-audit.ts';

const world = signAuditWorld(process.env);

export async function handler(input: unknown): Promise<SignedAuditHeads | undefined> {
  const request = SignAuditRequest.parse(input);
  if (request.do === 'sign_all') return signAll();
  const { signed, cut } = await signHeads(world, request.workspace);
  report(request.workspace, cut);
  return signed;
}

async function signAll(): Promise<undefined> {
  for await (const workspace of signedWorkspaces(world)) {
    try {
      report(workspace, (await keepHeads(world, workspace)).cut);
    } catch (error) {
      // One workspace's trouble must not keep the others; the next minute tries it again.
      world.journal.logger.error('sign-audit', { workspace, error_class: errorClass(error) });
    }
  }
}

/** In every minute, until the operator has found out what was removed. */
function report(workspace: WorkspaceId, cut: readonly string[]): void {
  if (cut.length > 0) world.journal.logger.error('sign-audit', { workspace, chains: cut, outcome: 'chains_cut' });
}
