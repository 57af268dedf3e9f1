/**
 * Ports of the vaults' rows. A row holds what clients may read and which version of which secret is in force; ports of the
 * secrets are in `secrets.ts`. Reads by id are strongly consistent, so no later call uses an archived credential.
 */
import type { CredentialId, Instant, VaultId, WorkspaceId } from '#contract/ids.ts';
import type { Credential, CredentialAuth } from '#contract/credentials.ts';
import type { Vault } from '#contract/vaults.ts';
import type { ListRequest, Rows, Saved } from '#core/ports/records.ts';
import type { SecretPointers } from '#core/ports/secrets.ts';

/** Active credentials of one vault. */
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
  /** Removes the row alone; its credentials must be removed before. Answers whether there was one. */
  remove(workspace: WorkspaceId, id: VaultId): Promise<boolean>;
  /** The vault's workspace, for the audit trail: no response holds it. Null when there is no such vault. */
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
  /** The fencing number: it grows with every change of the row but those of a lease and its failure. */
  readonly version: number;
  /** Empty after archiving. */
  readonly secrets: SecretPointers;
  /** `needs_reauth`: the authorization server has revoked it; only new secrets, or a new consent, help. */
  readonly state: 'ok' | 'needs_reauth';
  /** The instance that refreshes it at present. */
  readonly lease: { readonly owner: string; readonly until: Instant } | null;
  /** No refresh before this instant, after `failures` failed ones in a row. */
  readonly cooldownUntil: Instant | null;
  readonly failures: number;
  /** The scopes of the last consent; null when they are unknown. */
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
  /** The vault is archived or gone, or names another user than the credential is for. */
  | { readonly status: 'closed' };

/** A vault and its credential for a server, as they are at one moment. */
export interface Match {
  readonly vault: Vault;
  readonly stored: StoredCredential;
}

/**
 * Pending credentials: announced, and not yet created. The secrets of a credential are written before the row that points
 * at them, so an announcement without a creation tells where a process that died between the two left secrets.
 */
export interface PendingCredentials {
  /** Called before the first secret of a new credential is written. Each is announced once. */
  announce(place: CredentialPlace, at: Instant): Promise<void>;
  /** Credentials announced before this instant, and neither created nor forgotten. */
  overdue(before: Instant): AsyncIterable<CredentialPlace>;
  /** A repeat changes nothing. */
  forget(place: CredentialPlace, at: Instant): Promise<void>;
}

export interface CredentialRecords extends PendingCredentials {
  /**
   * Writes the row, its key and the vault's count, and forgets its announcement: all or nothing. `key` must be unique in
   * the vault: the server's canonical URL, or the variable's name. With `user`, only in a vault that still names this user.
   */
  create(credential: NewCredential, key: string, user?: string): Promise<Created>;
  find(place: CredentialPlace): Promise<StoredCredential | null>;
  /** Credentials of one vault, with `includeArchived` also the archived ones. */
  list(vault: VaultId, request: ListRequest): Promise<Rows<Credential>>;
  /** All credentials of one vault, archived or not, strongly consistent. */
  ofVault(workspace: WorkspaceId, vault: VaultId): AsyncIterable<StoredCredential>;
  /** The vault's active credentials of this type. Strongly consistent. Without one, it costs one read. */
  active(workspace: WorkspaceId, vault: VaultId, type: CredentialAuth['type']): Promise<readonly StoredCredential[]>;
  /**
   * Replaces the row that had `version - 1`; never brings an archived one back. Clears state and cool-down. A running
   * lease stays: its holder loses `rotated`, reads the row again and decides whether its tokens are of use there.
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
   * key. Strongly consistent: a credential that was archived before the call is not found, and row and credential are of
   * one moment, so the credential belongs to the user that the row names.
   */
  match(
    workspace: WorkspaceId,
    vaults: readonly VaultId[],
    key: string,
  ): Promise<readonly { readonly vault: Vault | null; readonly stored: StoredCredential | null }[]>;
}

/**
 * One refresh at a time over all instances. Each write is conditional on the version, and on the lease that it ends: a
 * lease that has run out stays its owner's until another instance takes it.
 */
export interface RefreshLeases {
  /**
   * `taken`: the owner holds the lease until then; a repeat by the same owner is taken too. `held`: another owner's lease
   * is running. `moved`: the row has another version, is archived, revoked, in a cool-down, or gone.
   */
  take(
    place: CredentialPlace,
    version: number,
    lease: { readonly owner: string; readonly now: Instant; readonly until: Instant },
  ): Promise<'taken' | 'held' | 'moved'>;
  /**
   * Puts new tokens in force: pointers, expiry and `updated_at` are the change's, the version is the next one, and lease,
   * cool-down and failures end. A repeat after a lost answer is a `conflict`, with these pointers in the row.
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
  /** The authorization server has revoked the grant: the state is `needs_reauth`, and the lease ends. */
  revoked(place: CredentialPlace, held: { readonly version: number; readonly owner: string }): Promise<Saved>;
  /** The authorization server gave no valid answer: stores the cool-down, and the lease ends. */
  failed(
    place: CredentialPlace,
    held: { readonly version: number; readonly owner: string },
    cooldown: { readonly until: Instant; readonly failures: number },
  ): Promise<Saved>;
}
