/** Operations of API keys on vaults, as the audit trail records them. */
import type { AuditEntry } from '#contract/audit.ts';
import type { ApiKeyId, CredentialId, VaultId, WorkspaceId } from '#contract/ids.ts';
import type { Audit } from '#core/ports/audit.ts';
import type { Ports } from '#core/ports/ports.ts';
import { isRefusal, type RequestRefusal } from '#core/ports/errors.ts';

export interface Administration {
  readonly workspace: WorkspaceId;
  readonly apiKey: ApiKeyId;
  /** `vault.archive` */
  readonly action: string;
  readonly vault: VaultId;
  readonly credential: CredentialId | null;
}

/**
 * Acts between two records. Without the first record it does not act; a first record without a second shows that the
 * process died or met a fault. `act` answers null when there is no such vault or credential.
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

/** Records the attempt for the auditors of the vault's workspace. The client learns of no difference to a missing vault. */
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
