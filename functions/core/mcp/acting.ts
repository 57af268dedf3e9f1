/**
 * For whom a session acts, and as which agent. All of it is in the session's own record: whoever asks the proxy names a
 * session, and the model nothing at all (design §6, governance T3).
 */
import type { SessionAgent } from '#contract/agents.ts';
import type { VaultId, WorkspaceId } from '#contract/ids.ts';
import type { ManagedServer } from '#contract/enterprise.ts';
import type { McpServer } from '#contract/mcp.ts';
import type { Vault } from '#contract/vaults.ts';
import { isIdentity, managedServer } from '#core/vault/enterprise.ts';
import { Fault } from '#core/ports/errors.ts';
import { agentOf } from '#core/model/slice.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import type { Head, LogKey } from '#core/ports/session-log.ts';
import { namedUser } from '#core/vault/named-user.ts';
import { canonicalServerUrl } from '#core/vault/server-url.ts';
import type { Match } from '#core/ports/vault-records.ts';

export interface Acting {
  readonly key: LogKey;
  readonly head: Head;
  readonly workspace: WorkspaceId;
  readonly agent: SessionAgent;
  /** In the order in which they are asked. */
  readonly vaults: readonly VaultId[];
}

export type Identity =
  | {
      readonly status: 'known';
      /** As the customer's identity provider names them; null when no vault names one. */
      readonly user: string | null;
      /** The first vault with a credential for this server; null when none has one. */
      readonly match: Match | null;
      /** Where the user's consent would go; null when there is no such vault. */
      readonly home: Vault | null;
      /** For a server whose access the user's organisation manages: `match` is then the user's identity there. */
      readonly managed: ManagedServer | null;
    }
  /** The vaults are two people's: whose credential is meant is nobody's to guess. */
  | { readonly status: 'two users' };

/** Throws `Fault` `session_gone` when there is no such session any more. */
export async function actingIn(
  world: Pick<McpProxyWorld, 'log' | 'sessions'>,
  key: LogKey,
  at?: Head,
): Promise<Acting> {
  const head = at ?? (await world.log.head(key));
  if (head === null) throw gone(key);
  const { workspace, agentAt } = head.state;
  const [entry, row] = await Promise.all([
    world.log.entryAt(key, agentAt),
    world.sessions.find(workspace, key.session),
  ]);
  if (entry === null || row === null) throw gone(key);
  return { key, head, workspace, agent: agentOf([entry]), vaults: row.details.vault_ids };
}

function gone({ session }: LogKey): Fault {
  return new Fault('session_gone', `there is no session ${session}`);
}

/** Who acts towards this server, and with what. An archived vault is not asked; whom it names counts all the same. */
export async function identify(
  { credentials, enterprise }: Pick<McpProxyWorld, 'credentials' | 'enterprise'>,
  { workspace, vaults }: Pick<Acting, 'workspace' | 'vaults'>,
  url: string,
): Promise<Identity> {
  const managed = managedServer(enterprise, url);
  const key = managed === null ? url : (enterprise?.identityUrl ?? url);
  const rows = vaults.length === 0 ? [] : await credentials.match(workspace, vaults, key);
  const users = new Set(rows.flatMap(({ vault }) => (vault === null ? [] : (namedUser(vault) ?? []))));
  if (users.size > 1) return { status: 'two users' };
  const [user = null] = users;
  // An agent that names the identity provider itself as a server would be handed what opens all the others.
  if (isIdentity(enterprise, url)) return { status: 'known', user, match: null, home: null, managed };
  const open = rows.flatMap(({ vault, stored }) =>
    vault === null || vault.archived_at !== null ? [] : [{ vault, stored }],
  );
  const [match = null] = open.flatMap(({ vault, stored }) => (stored === null ? [] : [{ vault, stored }]));
  const home = match?.vault ?? open.find(({ vault }) => namedUser(vault) !== null)?.vault ?? null;
  return { status: 'known', user, match, home, managed };
}

/** A server of the agent, under the URL that credentials, pins and policies know it by. */
export interface KnownServer {
  readonly name: string;
  readonly url: string;
}

/** Null for a URL that no credential, pin or policy could be about. */
export function knownServer({ name, url }: McpServer): KnownServer | null {
  const canonical = canonicalServerUrl(url);
  return canonical === null ? null : { name, url: canonical };
}
