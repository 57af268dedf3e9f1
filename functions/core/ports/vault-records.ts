/**
 * Ports of the vaults' rows. A row holds what may be told and which version of which secret is in force; the secrets
 * themselves are in `secrets.ts`. Reads by id are strongly consistent, so that an archived credential is used by nobody
 * who looks afterwards.
 */
import type { CredentialId, Instant, VaultId, WorkspaceId } from '#contract/ids.ts';
import type { Credential, CredentialAuth } from '#contract/credentials.ts';
import type { Vault } from '#contract/vaults.ts';
import type { ListRequest, Rows, Saved } from '#core/ports/records.ts';
import type { SecretPointers } from '#core/ports/secrets.ts';

/** Active ones of one vault. */
export const MAX_CREDENTIALS = 20;

export interface RevisedVault {
  readonly vault: Vault;
  /** Moves on with each `replace`. */
  readonly revision: number;
  /** How many active credentials it holds. */
  readonly active: number;
}

export interface VaultRecords {
  create(workspace: WorkspaceId, vault: Vault): Promise<void>;
  find(workspace: WorkspaceId, id: VaultId): Promise<Vault | null>;
  findRevised(workspace: WorkspaceId, id: VaultId): Promise<RevisedVault | null>;
  list(request: ListRequest): Promise<Rows<Vault>>;
  /** Puts the vault in place of the one that had this revision and held this many active credentials. */
  replace(workspace: WorkspaceId, revised: RevisedVault): Promise<Saved>;
  /** From here on no credential is added to it or used; the first mark stays. Null when there is no such vault. */
  archive(workspace: WorkspaceId, id: VaultId, at: Instant): Promise<Vault | null>;
  /** Removes the row alone: its credentials go first. Whether there was one. */
  remove(workspace: WorkspaceId, id: VaultId): Promise<boolean>;
  /** Whose vault it is, for the audit trail: no caller is ever told. Null when there is none. */
  ownerOf(id: VaultId): Promise<WorkspaceId | null>;
}

export interface CredentialPlace {
  readonly workspace: WorkspaceId;
  readonly vault: VaultId;
  readonly credential: CredentialId;
}

/** A credential as it is saved. */
export interface StoredCredential {
  readonly workspace: WorkspaceId;
  readonly credential: Credential;
  /** The fencing number: it moves on with every change of the row but a lease's and its failure's. */
  readonly version: number;
  /** Empty after archiving. */
  readonly secrets: SecretPointers;
  /** `needs_reauth`: the authorization server has revoked it; only new secrets, or a new consent, help. */
  readonly state: 'ok' | 'needs_reauth';
  /** Who is just refreshing it. */
  readonly lease: { readonly owner: string; readonly until: Instant } | null;
  /** No refresh before this instant, after `failures` failed ones in a row. */
  readonly cooldownUntil: Instant | null;
  readonly failures: number;
  /** What was last consented to; null when nobody knows. */
  readonly grantedScopes: readonly string[] | null;
  /** The authorization server that issued it; null for what came without a consent of ours. */
  readonly issuer: string | null;
}

export function credentialPlace({
  workspace,
  credential,
}: Pick<StoredCredential, 'workspace' | 'credential'>): CredentialPlace {
  return { workspace, vault: credential.vault_id, credential: credential.id };
}

/** What a new credential begins with. */
export type NewCredential = Pick<StoredCredential, 'workspace' | 'credential' | 'secrets' | 'grantedScopes' | 'issuer'>;

export type Created =
  | { readonly status: 'created' }
  /** Another active credential of the vault has this key. */
  | { readonly status: 'duplicate' }
  | { readonly status: 'full' }
  /** The vault is archived or gone, or names somebody else than the one it is for. */
  | { readonly status: 'closed' };

/** A vault and its credential for a server, as they are at one moment. */
export interface Match {
  readonly vault: Vault;
  readonly stored: StoredCredential;
}

/**
 * Pending credentials: announced, and not yet created. The secrets of a credential are written before the row that points
 * at them, so an announcement that no creation follows tells where a process that died in between left secrets.
 */
export interface PendingCredentials {
  /** Before the first secret of a new credential is written. Each is announced once. */
  announce(place: CredentialPlace, at: Instant): Promise<void>;
  /** Announced before this instant, and neither created nor forgotten. */
  overdue(before: Instant): AsyncIterable<CredentialPlace>;
  /** A repeat changes nothing. */
  forget(place: CredentialPlace, at: Instant): Promise<void>;
}

export interface CredentialRecords extends PendingCredentials {
  /**
   * The row, its key, the vault's count, and its announcement is forgotten: all or nothing. `key` is what must be unique
   * in the vault: the server's canonical URL, or the variable's name. With `user`, only in a vault that still names this
   * one.
   */
  create(credential: NewCredential, key: string, user?: string): Promise<Created>;
  find(place: CredentialPlace): Promise<StoredCredential | null>;
  /** Of one vault; rows of all of them, archived or not, for `includeArchived`. */
  list(vault: VaultId, request: ListRequest): Promise<Rows<Credential>>;
  /** All of one vault, archived or not, strongly consistent: none that was there before is missing. */
  ofVault(workspace: WorkspaceId, vault: VaultId): AsyncIterable<StoredCredential>;
  /** Of the vault's active credentials. Strongly consistent. */
  types(workspace: WorkspaceId, vault: VaultId): Promise<ReadonlySet<CredentialAuth['type']>>;
  /**
   * In place of the one that had `version - 1`; never brings an archived one back. Clears state and cool-down. A lease
   * that is running stays: its holder loses `rotated`, reads the row again and decides what its tokens are worth there.
   */
  replace(stored: StoredCredential): Promise<Saved>;
  /**
   * Marks it and frees its key and its place in the count, all or nothing; the pointers stay until `purged`. The first
   * mark stays. Null when there is no such credential.
   */
  archive(place: CredentialPlace, at: Instant): Promise<StoredCredential | null>;
  /** The secrets of an archived credential are gone. */
  purged(place: CredentialPlace): Promise<void>;
  /** Removes the row, and its key if it is active. Whether there was one. */
  remove(place: CredentialPlace): Promise<boolean>;
  /**
   * For each vault, in this order, its row (null: there is none in this workspace) and its active credential with this
   * key. Strongly consistent: what was archived before the call is not found, and the row is of a moment at which the
   * vault held the credential, so the one whom it names is the one whose credential it is.
   */
  match(
    workspace: WorkspaceId,
    vaults: readonly VaultId[],
    key: string,
  ): Promise<readonly { readonly vault: Vault | null; readonly stored: StoredCredential | null }[]>;
}

/**
 * Single flight of refreshes over all instances. Each write is conditional on the version, and on the lease it ends: a
 * lease that has run out and that nobody has taken since is still its owner's.
 */
export interface RefreshLeases {
  /**
   * Ours until then; a repeat by the same owner is taken too. `held`: somebody else's is running. `moved`: the row says
   * something else by now (another version, archived, revoked, a cool-down that is not over, or it is gone).
   */
  take(
    place: CredentialPlace,
    version: number,
    lease: { readonly owner: string; readonly now: Instant; readonly until: Instant },
  ): Promise<'taken' | 'held' | 'moved'>;
  /**
   * New tokens are in force: pointers, expiry and `updated_at` are the change's, the version is the next one, lease,
   * cool-down and failures end. A repeat whose first answer was lost is a `conflict`, with these pointers in the row.
   */
  rotated(
    place: CredentialPlace,
    held: { readonly version: number; readonly owner: string },
    change: {
      readonly secrets: SecretPointers;
      readonly expiresAt: Instant | null;
      readonly grantedScopes: readonly string[] | null;
      readonly at: Instant;
    },
  ): Promise<Saved>;
  /** The authorization server says that it is over: `needs_reauth`, and the lease ends. */
  revoked(place: CredentialPlace, held: { readonly version: number; readonly owner: string }): Promise<Saved>;
  /** The authorization server did not answer as it should. The lease ends. */
  failed(
    place: CredentialPlace,
    held: { readonly version: number; readonly owner: string },
    cooldown: { readonly until: Instant; readonly failures: number },
  ): Promise<Saved>;
}
