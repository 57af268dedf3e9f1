/** A credential's row: what its body says, and what other writes than its replacement change, in columns beside it. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import * as z from 'zod';
import { WorkspaceId } from '#contract/ids.ts';
import { Credential } from '#contract/credentials.ts';
import { SecretPointers } from '#core/ports/secrets.ts';
import type { NewCredential, StoredCredential } from '#core/ports/vault-records.ts';
import { archivedAtOf } from '#aws/table.ts';
import { bodyOf, listKeys, textOf, type Item } from '#aws/row.ts';
import { credentialKey, partitionOf, uniqueKey } from '#aws/vault/vault-item.ts';

/** Null for a column that is to be absent. */
export type Columns = Readonly<Record<string, AttributeValue | null>>;

const FIRST = { version: 1, state: 'ok', lease: null, cooldownUntil: null, failures: 0 } as const;

/** `key` is what must be unique in the vault. */
export function newCredentialItem(created: NewCredential, key: string): Item {
  const { workspace, credential } = created;
  const { id, vault_id: vault } = credential;
  return {
    ...credentialKey({ workspace, vault, credential: id }),
    workspace: { S: workspace },
    uniqueSk: { S: textOf(uniqueKey(workspace, vault, key), 'sk') },
    ...listKeys(partitionOf(workspace, vault), 'credential', { createdAt: credential.created_at, id }),
    ...present(columnsOf({ ...FIRST, ...created })),
  };
}

/** All that a replacement changes. The lease is its holder's. */
export function columnsOf(stored: StoredCredential): Columns {
  const { credential } = stored;
  return {
    body: { S: JSON.stringify({ ...credential, archived_at: null }) },
    version: { N: String(stored.version) },
    updatedAt: { S: credential.updated_at },
    tokenExpiresAt: text(credential.auth.type === 'mcp_oauth' ? credential.auth.expires_at : null),
    secrets: { S: JSON.stringify(stored.secrets) },
    state: { S: stored.state },
    cooldownUntil: text(stored.cooldownUntil),
    failures: { N: String(stored.failures) },
    grantedScopes: texts(stored.grantedScopes),
    issuer: text(stored.issuer),
  };
}

export function text(value: string | null): AttributeValue | null {
  return value === null ? null : { S: value };
}

export function texts(values: readonly string[] | null): AttributeValue | null {
  return values === null ? null : { S: JSON.stringify(values) };
}

/** An update that sets these columns, of which one at least is to be there. */
export function assignment(columns: Columns) {
  const set = Object.keys(present(columns));
  const removed = Object.keys(columns).filter((name) => columns[name] === null);
  const removing = removed.length === 0 ? '' : ` REMOVE ${removed.map((name) => `#${name}`).join(', ')}`;
  return {
    UpdateExpression: `SET ${set.map((name) => `#${name} = :${name}`).join(', ')}${removing}`,
    ExpressionAttributeNames: Object.fromEntries(Object.keys(columns).map((name) => [`#${name}`, name])),
    ExpressionAttributeValues: Object.fromEntries(
      Object.entries(present(columns)).map(([name, value]) => [`:${name}`, value]),
    ),
  };
}

function present(columns: Columns): Item {
  const entries = Object.entries(columns);
  return Object.fromEntries(entries.flatMap(([name, value]) => (value === null ? [] : [[name, value]])));
}

export function credentialOf(item: Item): Credential {
  const body = bodyOf(item, 'body', Credential);
  const expires_at = item['tokenExpiresAt']?.S ?? null;
  const auth = body.auth.type === 'mcp_oauth' ? { ...body.auth, expires_at } : body.auth;
  return { ...body, auth, updated_at: textOf(item, 'updatedAt'), archived_at: archivedAtOf(item) };
}

const State = z.enum(['ok', 'needs_reauth']);

export function storedOf(item: Item): StoredCredential {
  const owner = item['leaseOwner']?.S;
  return {
    workspace: WorkspaceId.parse(textOf(item, 'workspace')),
    credential: credentialOf(item),
    version: Number(item['version']?.N),
    secrets: bodyOf(item, 'secrets', SecretPointers),
    state: State.parse(textOf(item, 'state')),
    lease: owner === undefined ? null : { owner, until: textOf(item, 'leaseUntil') },
    cooldownUntil: item['cooldownUntil']?.S ?? null,
    failures: Number(item['failures']?.N ?? '0'),
    grantedScopes: item['grantedScopes'] === undefined ? null : bodyOf(item, 'grantedScopes', z.array(z.string())),
    issuer: item['issuer']?.S ?? null,
  };
}
