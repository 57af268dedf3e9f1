/** What every step of a link uses: its facts, its status, its view for clients, and its entries in the audit trail. */
import type { AuditEntry } from '#contract/audit.ts';
import type { Connect, ConnectError } from '#contract/connect.ts';
import type { CredentialId, Instant } from '#contract/ids.ts';
import type { Vault } from '#contract/vaults.ts';
import type { ConnectionTrouble } from '#core/ports/authorization-server.ts';
import type { ConnectionFacts, Connection } from '#core/ports/connection-records.ts';
import { later } from '#core/ports/instant.ts';
import { namedUser } from '#core/vault/named-user.ts';

const LIFETIME_MS = 24 * 60 * 60_000;

export function connectionFacts(
  asked: Omit<ConnectionFacts, 'expiresAt'> | Omit<ConnectionFacts, 'expiresAt' | 'user'>,
  user: string,
): ConnectionFacts {
  return { ...asked, user, expiresAt: later(asked.createdAt, LIFETIME_MS) };
}

export function linkUrl(baseUrl: string, { id }: Pick<ConnectionFacts, 'id'>): string {
  return `${baseUrl}/${id}`;
}

/** The user of a vault; null when it names none, or takes no more credentials. */
export function userOfVault(vault: Vault | null): string | null {
  return vault === null || vault.archived_at !== null ? null : namedUser(vault);
}

export const VAULT_CLOSED: ConnectionTrouble = {
  status: 'trouble',
  error: 'vault_closed',
  detail: 'the vault is archived, gone, or names another user',
};

/** A pending link past its time is expired; its record is not changed for that. */
export function statusAt(record: Pick<Connection, 'status' | 'expiresAt'>, now: Instant): Connect['status'] {
  return record.status === 'pending' && now >= record.expiresAt ? 'expired' : record.status;
}

export function connectionView(record: Connection, baseUrl: string, now: Instant): Connect {
  return {
    id: record.id,
    type: 'connect',
    status: statusAt(record, now),
    url: linkUrl(baseUrl, record),
    vault_id: record.vault,
    mcp_server_url: record.server.url,
    user_id: record.user,
    error: record.error === null ? null : { type: record.error, message: MESSAGES[record.error] },
    created_at: record.createdAt,
    expires_at: record.expiresAt,
    completed_at: record.status === 'completed' ? record.endedAt : null,
  };
}

/** For people: the page shows them, and the API tells them to the client that made the link. */
export const MESSAGES: Readonly<Record<ConnectError, string>> = {
  cancelled: 'The request was cancelled before anything was shared.',
  access_denied: 'The authorization server says that access was declined.',
  vault_closed: 'The vault takes no credentials for this user any more.',
  vault_full: 'The vault holds as many credentials as it may; one has to be archived first.',
  server_unreachable: 'The server, or the authorization server it names, could not be reached.',
  no_authorization_server:
    'No authorization server was found for this server, or what it says of itself cannot be read.',
  resource_mismatch: 'The server’s metadata is for another server.',
  issuer_mismatch: 'The authorization server’s metadata or answer names another issuer.',
  insecure_endpoint: 'The authorization server names an address that must not be used.',
  pkce_unsupported: 'The authorization server does not support PKCE with S256, which is required.',
  registration_required:
    'The authorization server lets no client register itself: an administrator has to register one there and add it to `connect.clients` of the deployment.',
  registration_failed: 'The authorization server refused to register this service as a client.',
  authorization_failed: 'The authorization server could not authorize the request.',
  exchange_failed: 'The authorization server did not give a token.',
};

interface Deed {
  readonly action: 'connect.approved' | 'connect.cancelled' | 'connect.declined' | 'connect.refused' | 'connect.stored';
  readonly credential?: CredentialId;
  /** Who did it, when it was not the link's own user. */
  readonly user?: string;
  /** Why it was not done. */
  readonly denied?: string;
}

/** The entry of the audit trail about a step of a link. */
export function administration(facts: Pick<ConnectionFacts, 'id' | 'vault' | 'user'>, deed: Deed): AuditEntry {
  return {
    kind: 'administration',
    action: deed.action,
    vault: facts.vault,
    credential: deed.credential ?? null,
    connect: facts.id,
    user: deed.user ?? facts.user,
    outcome: deed.denied === undefined ? 'done' : 'denied',
    reason: deed.denied ?? null,
  };
}
