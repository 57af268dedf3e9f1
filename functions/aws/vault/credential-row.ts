/** A credential's row: its body, and beside it columns for all that writes change without replacing the body. */
import * as z from 'zod';
import { Credential } from '#contract/credentials.ts';
import { Instant, WorkspaceId } from '#contract/ids.ts';
import { SecretPointers } from '#core/ports/secrets.ts';
import type { NewCredential, StoredCredential } from '#core/ports/vault-records.ts';
import { json, listKeys, optional, parseRow } from '#aws/row.ts';
import type { Columns, Key, Row } from '#aws/table.ts';
import { credentialKey, partitionOf, uniqueKey } from '#aws/vault/vault-row.ts';

const FIRST = { version: 1, state: 'ok', lease: null, cooldownUntil: null, failures: 0 } as const;

/** `key` is what must be unique in the vault. */
export function newCredentialRow(created: NewCredential, key: string): Key & Columns {
  const { workspace, credential } = created;
  const { id, vault_id: vault } = credential;
  return {
    ...credentialKey({ workspace, vault, credential: id }),
    workspace,
    uniqueSk: uniqueKey(workspace, vault, key).sk,
    ...listKeys(partitionOf(workspace, vault), 'credential', { createdAt: credential.created_at, id }),
    ...columnsOf({ ...FIRST, ...created }),
  };
}

/** All columns that a replacement changes. Only the holder of the lease changes the lease. */
export function columnsOf(stored: StoredCredential): Columns {
  const { credential } = stored;
  return {
    body: JSON.stringify({ ...credential, archived_at: null }),
    version: stored.version,
    updatedAt: credential.updated_at,
    tokenExpiresAt: credential.auth.type === 'mcp_oauth' ? credential.auth.expires_at : null,
    secrets: JSON.stringify(stored.secrets),
    state: stored.state,
    cooldownUntil: stored.cooldownUntil,
    failures: stored.failures,
    grantedScopes: jsonColumn(stored.grantedScopes),
    issuer: stored.issuer,
  };
}

export function jsonColumn(values: readonly string[] | null): string | null {
  return values === null ? null : JSON.stringify(values);
}

const CredentialRow = z.object({
  workspace: WorkspaceId,
  body: json(Credential),
  version: z.int(),
  updatedAt: Instant,
  archivedAt: optional(Instant),
  tokenExpiresAt: optional(Instant),
  secrets: json(SecretPointers),
  state: z.enum(['ok', 'needs_reauth']),
  leaseOwner: optional(z.string()),
  leaseUntil: optional(Instant),
  cooldownUntil: optional(Instant),
  failures: z.int().default(0),
  grantedScopes: optional(json(z.array(z.string()))),
  issuer: optional(z.string()),
});

export function credentialOf(row: Row): Credential {
  return storedOf(row).credential;
}

export function storedOf(row: Row): StoredCredential {
  const { body, updatedAt, archivedAt, tokenExpiresAt, leaseOwner, leaseUntil, ...columns } = parseRow(
    CredentialRow,
    row,
  );
  const auth = body.auth.type === 'mcp_oauth' ? { ...body.auth, expires_at: tokenExpiresAt } : body.auth;
  return {
    ...columns,
    credential: { ...body, auth, updated_at: updatedAt, archived_at: archivedAt },
    lease: leaseOwner === null || leaseUntil === null ? null : { owner: leaseOwner, until: leaseUntil },
  };
}
