/** What every step of a connection uses: its facts, status, link, view for clients, and entries in the audit trail. */
import type { Connect, ConnectError } from '#contract/connect.ts';
import { ConnectId, type CredentialId, type Instant } from '#contract/ids.ts';
import type { Vault } from '#contract/vaults.ts';
import type { ConnectWorld } from '#core/connect/connect-world.ts';
import type { ConnectionTrouble } from '#core/ports/authorization-server.ts';
import type { ConnectionFacts, Connection } from '#core/ports/connection-records.ts';
import { later } from '#core/ports/stamp.ts';
import { namedUser } from '#core/vault/named-user.ts';

const LIFETIME_MS = 24 * 60 * 60_000;

/** A new connection. */
export function connectionFacts(
  { newToken, stamp }: Pick<ConnectWorld, 'newToken' | 'stamp'>,
  asked: Omit<ConnectionFacts, 'id' | 'createdAt' | 'expiresAt'>,
): ConnectionFacts {
  const createdAt = stamp.now();
  const id = ConnectId.parse(`conn_${newToken()}`);
  return { ...asked, id, createdAt, expiresAt: later(createdAt, LIFETIME_MS) };
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

/** A pending connection past its time is expired; its record is not changed for that. */
export function statusAt(record: Pick<Connection, 'status' | 'expiresAt'>, now: Instant): Connect['status'] {
  return record.status === 'pending' && now >= record.expiresAt ? 'expired' : record.status;
}

type ViewedConnection = ConnectionFacts & Pick<Connection, 'status' | 'error' | 'endedAt'>;

export function connectionView(record: ViewedConnection, baseUrl: string, now: Instant): Connect {
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

/** For people: the page shows them, and the API tells them to the client that asked for the connection. */
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
  foreign_endpoint:
    'The authorization server names an endpoint that is not at its own address: an administrator has to add it to `connect.clients` of the deployment first.',
  pkce_unsupported: 'The authorization server does not support PKCE with S256, which is required.',
  registration_required:
    'The authorization server lets no client register itself: an administrator has to register one there and add it to `connect.clients` of the deployment.',
  registration_failed: 'The authorization server refused to register this service as a client.',
  authorization_failed: 'The authorization server could not authorize the request.',
  exchange_failed: 'The authorization server did not give a token.',
};

interface Step {
  readonly action: 'connect.approved' | 'connect.cancelled' | 'connect.declined' | 'connect.refused' | 'connect.stored';
  readonly credential?: CredentialId;
  /** The user who did it, when that is not the connection's own user. */
  readonly user?: string;
  /** The reason why it was not done. */
  readonly denied?: string;
}

/** Records a step of a connection in the audit trail. Throws `Fault` `audit_unavailable`: then the step must not be done. */
export function recordStep(
  { audit }: Pick<ConnectWorld, 'audit'>,
  { id, workspace, vault, user }: Pick<ConnectionFacts, 'id' | 'workspace' | 'vault' | 'user'>,
  step: Step,
): Promise<void> {
  return audit.record(workspace, vault, {
    kind: 'administration',
    action: step.action,
    vault,
    credential: step.credential ?? null,
    connect: id,
    user: step.user ?? user,
    outcome: step.denied === undefined ? 'done' : 'denied',
    reason: step.denied ?? null,
  });
}
