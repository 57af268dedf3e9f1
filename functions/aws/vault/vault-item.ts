/** Items of the vault table: what belongs to a vault shares its partition. */
import { Vault } from '#contract/vaults.ts';
import { namedUser } from '#core/vault/named-user.ts';
import type { CredentialPlace } from '#core/ports/vault-records.ts';
import { archivedAtOf } from '#aws/table.ts';
import { bodyOf, type Item } from '#aws/row.ts';
import { sha256 } from '#aws/sha256.ts';

export const VAULT = 'VAULT';
export const CREDENTIAL_PREFIX = 'CRED#';
export const KEY_PREFIX = 'KEY#';

/** Ids are text here: a cursor's is whatever the client made of it. */
export function partitionOf(workspace: string, vault: string): string {
  return `${workspace}#${vault}`;
}

export function vaultKey(workspace: string, vault: string): Item {
  return { pk: { S: partitionOf(workspace, vault) }, sk: { S: VAULT } };
}

/** The one row that is found without knowing the workspace. */
export function ownerKey(vault: string): Item {
  return { pk: { S: vault }, sk: { S: 'OWNER' } };
}

export function credentialKey({ workspace, vault, credential }: Record<keyof CredentialPlace, string>): Item {
  return { pk: { S: partitionOf(workspace, vault) }, sk: { S: `${CREDENTIAL_PREFIX}${credential}` } };
}

/** By its hash, for a URL may be longer than a sort key can be. */
export function uniqueKey(workspace: string, vault: string, key: string): Item {
  return { pk: { S: partitionOf(workspace, vault) }, sk: { S: `${KEY_PREFIX}${sha256(key)}` } };
}

/** All that a replacement changes. Whom it names, or '', is in a column too, for conditions cannot look into a body. */
export function vaultColumns(vault: Vault) {
  return { body: { S: JSON.stringify(vault) }, namedUser: { S: namedUser(vault) ?? '' } };
}

export function vaultOf(item: Item): Vault {
  return { ...bodyOf(item, 'body', Vault), archived_at: archivedAtOf(item) };
}
