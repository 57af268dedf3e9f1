/** Rows of the vault table: all rows of a vault share its partition. */
import * as z from 'zod';
import { Instant } from '#contract/ids.ts';
import { Vault } from '#contract/vaults.ts';
import { namedUser } from '#core/vault/named-user.ts';
import type { CredentialPlace, RevisedVault } from '#core/ports/vault-records.ts';
import type { Key, Row } from '#aws/table.ts';
import { json, optional, parseRow } from '#aws/row.ts';
import { sha256 } from '#aws/stamp.ts';

const VAULT = 'VAULT';
export const CREDENTIAL_PREFIX = 'CRED#';
export const KEY_PREFIX = 'KEY#';

/** Ids are plain text here, because the id in a cursor is the client's input. */
export function partitionOf(workspace: string, vault: string): string {
  return `${workspace}#${vault}`;
}

export function vaultKey(workspace: string, vault: string): Key {
  return { pk: partitionOf(workspace, vault), sk: VAULT };
}

/** The only row that can be found without the workspace. */
export function ownerKey(vault: string): Key {
  return { pk: vault, sk: 'OWNER' };
}

export function credentialKey({ workspace, vault, credential }: Record<keyof CredentialPlace, string>): Key {
  return { pk: partitionOf(workspace, vault), sk: `${CREDENTIAL_PREFIX}${credential}` };
}

/** The hash stands for the key, because a URL may be longer than a sort key can be. */
export function uniqueKey(workspace: string, vault: string, key: string): Key {
  return { pk: partitionOf(workspace, vault), sk: `${KEY_PREFIX}${sha256(key)}` };
}

/** All columns that a replacement changes. `namedUser`, '' for none, is a column because conditions cannot read a body. */
export function vaultColumns(vault: Vault) {
  return { body: JSON.stringify(vault), namedUser: namedUser(vault) ?? '' };
}

const VaultRow = z.object({
  body: json(Vault),
  archivedAt: optional(Instant),
  // A row that was never replaced has no revision, and one that never held a credential no count.
  revision: z.int().default(0),
  active: z.int().default(0),
});

export function revisedOf(row: Row): RevisedVault {
  const { body, archivedAt, ...counted } = parseRow(VaultRow, row);
  return { vault: { ...body, archived_at: archivedAt }, ...counted };
}

export function vaultOf(row: Row): Vault {
  return revisedOf(row).vault;
}
