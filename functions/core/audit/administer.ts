/** What API keys do to vaults, in the audit trail. */
import type { AuditEntry } from '#contract/audit.ts';
import type { ApiKeyId, CredentialId, VaultId, WorkspaceId } from '#contract/ids.ts';
import type { Audit } from '#core/ports/audit.ts';
import type { Ports } from '#core/ports/ports.ts';
import { isRefusal, type RequestRefusal } from '#core/ports/refusal.ts';

export interface Administration {
  readonly workspace: WorkspaceId;
  readonly apiKey: ApiKeyId;
  /** `vault.archive` */
  readonly action: string;
  readonly vault: VaultId;
  readonly credential: CredentialId | null;
}

/**
 * Does it between two records: nothing is done without the first, and a first without a second tells of a process that
 * died or a fault. `act` answers null for what is not there.
 */
export async function administer<Done>(
  audit: Audit,
  what: Administration,
  act: () => Promise<Done | RequestRefusal | null>,
): Promise<Done | RequestRefusal | null> {
  const { workspace, vault } = what;
  await audit.record(workspace, vault, entryOf(what, { outcome: 'requested', reason: null }));
  const result = await act();
  await audit.record(workspace, vault, entryOf(what, outcomeOf(result)));
  return result;
}

/** A vault of another workspace is told from none by nobody, except to that workspace's auditors. */
export async function recordForeign(
  { vaults, audit }: Pick<Ports, 'vaults' | 'audit'>,
  what: Administration,
): Promise<void> {
  const owner = await vaults.ownerOf(what.vault);
  if (owner === null || owner === what.workspace) return;
  await audit.record(owner, what.vault, entryOf(what, { outcome: 'denied', reason: 'cross_workspace_denied' }));
}

type Ended = Pick<Extract<AuditEntry, { kind: 'administration' }>, 'outcome' | 'reason'>;

function outcomeOf(result: unknown): Ended {
  if (result === null) return { outcome: 'denied', reason: 'not_found' };
  return isRefusal(result)
    ? { outcome: 'denied', reason: `${result.type}: ${result.message}` }
    : { outcome: 'done', reason: null };
}

function entryOf({ action, vault, credential, apiKey }: Administration, ended: Ended): AuditEntry {
  return { kind: 'administration', action, vault, credential, connect: null, user: null, api_key: apiKey, ...ended };
}
