/**
 * The caller of an MCP server: for which user a session acts there, as which agent, with which token. All of it comes from
 * the session's own record: a request to the proxy names only a session, and the model names nothing (`docs/security.md`,
 * Users).
 */
import type { SessionAgent } from '#contract/agents.ts';
import type { ManagedServer } from '#contract/enterprise.ts';
import { eventIn, type OpenCall } from '#contract/entries.ts';
import type { VaultId, WorkspaceId } from '#contract/ids.ts';
import type { McpServer } from '#contract/mcp.ts';
import type { WantedCall } from '#contract/mcp-proxy.ts';
import type { Vault } from '#contract/vaults.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import { agentOf } from '#core/model/slice.ts';
import { Fault } from '#core/ports/errors.ts';
import type { McpTarget } from '#core/ports/mcp-client.ts';
import type { Head, LogKey, SessionLog } from '#core/ports/session-log.ts';
import type { Bearer, NoBearer } from '#core/ports/tokens.ts';
import type { Match } from '#core/ports/vault-records.ts';
import { isIdentity, managedServer } from '#core/vault/enterprise.ts';
import { namedUser } from '#core/vault/named-user.ts';
import { canonicalServerUrl } from '#core/vault/server-url.ts';

export interface Caller {
  readonly key: LogKey;
  readonly head: Head;
  readonly workspace: WorkspaceId;
  readonly agent: SessionAgent;
  /** In the order in which the session searches them. */
  readonly vaults: readonly VaultId[];
}

export interface KnownIdentity {
  readonly status: 'known';
  /** The user as the customer's identity provider names them; null when no vault names one. */
  readonly user: string | null;
  /** The first vault with a credential for this server; null when none has one. */
  readonly match: Match | null;
  /** The vault into which a new credential of the user would go; null when there is none. */
  readonly home: Vault | null;
  /** For a server that the user's organisation manages: `match` is then the user's identity there. Null for any other. */
  readonly managed: ManagedServer | null;
}

/** `two users`: the vaults belong to two people, so the service does not choose a credential. */
export type Identity = KnownIdentity | { readonly status: 'two users' };

/** Throws `Fault` `session_gone` when the session does not exist. */
export async function callerOf(
  world: Pick<McpProxyWorld, 'log' | 'sessions'>,
  key: LogKey,
  at?: Head,
): Promise<Caller> {
  const head = at ?? (await world.log.head(key));
  if (head === null) throw gone(key);
  const { workspace, agentPosition } = head.state;
  const [entry, row] = await Promise.all([
    world.log.entryAt(key, agentPosition),
    world.sessions.find(workspace, key.session),
  ]);
  if (entry === null || row === null) throw gone(key);
  return { key, head, workspace, agent: agentOf([entry]), vaults: row.details.vault_ids };
}

function gone({ session }: LogKey): Fault {
  return new Fault('session_gone', `there is no session ${session}`);
}

/** The session's user and credential for a server. Credentials of an archived vault are not used; its user counts. */
export async function identify(
  { credentials, enterprise }: Pick<McpProxyWorld, 'credentials' | 'enterprise'>,
  { workspace, vaults }: Pick<Caller, 'workspace' | 'vaults'>,
  url: string,
): Promise<Identity> {
  const managed = managedServer(enterprise, url);
  const key = managed === null ? url : (enterprise?.identityUrl ?? url);
  const rows = vaults.length === 0 ? [] : await credentials.match(workspace, vaults, key);
  const users = new Set(rows.flatMap(({ vault }) => (vault === null ? [] : (namedUser(vault) ?? []))));
  if (users.size > 1) return { status: 'two users' };
  const [user = null] = users;
  // An agent may name the identity provider as its server: that server must not get the token that opens all others.
  if (isIdentity(enterprise, url)) return { status: 'known', user, match: null, home: null, managed };
  const open = rows.flatMap(({ vault, stored }) =>
    vault === null || vault.archived_at !== null ? [] : [{ vault, stored }],
  );
  const [match = null] = open.flatMap(({ vault, stored }) => (stored === null ? [] : [{ vault, stored }]));
  const home = match?.vault ?? open.find(({ vault }) => namedUser(vault) !== null)?.vault ?? null;
  return { status: 'known', user, match, home, managed };
}

/** A server of the agent, under the URL by which credentials, pins and policies know it. */
export interface KnownServer {
  readonly name: string;
  readonly url: string;
}

/** Null for a URL that no credential, pin or policy can name. */
export function knownServer({ name, url }: McpServer): KnownServer | null {
  const canonical = canonicalServerUrl(url);
  return canonical === null ? null : { name, url: canonical };
}

export function serverNamed({ mcp_servers: servers }: SessionAgent, name: string): KnownServer | null {
  const declared = servers.find((server) => server.name === name);
  return declared === undefined ? null : knownServer(declared);
}

/** The model's call, read from the log. Throws `Fault` `stored_data_invalid` when that position holds something else. */
export async function wantedCall(
  { log }: { readonly log: Pick<SessionLog, 'entryAt'> },
  key: LogKey,
  { id, position }: Pick<OpenCall, 'id' | 'position'>,
): Promise<WantedCall> {
  const event = eventIn(await log.entryAt(key, position));
  if (event?.type !== 'agent.mcp_tool_use' || event.id !== id) {
    throw new Fault('stored_data_invalid', `position ${position} of the log is not the MCP tool use ${id}`);
  }
  return { id: event.id, server: event.mcp_server_name, tool: event.name, input: event.input };
}

/** The token of one request to a server: read once, renewed once if the server refuses it. */
export interface Carried {
  readonly status: 'carried';
  /** Null towards a server for which the session has no credential. */
  readonly bearer: McpTarget['bearer'];
  /** Every secret that was used: each must be taken out of what the server answers. */
  inUse(): readonly string[];
  /** The version of the credential's row when the token was read; null without a credential. */
  version(): number | null;
  /** Why a refused token could not be renewed; null when no renewal was tried, or when it succeeded. */
  notRenewed(): NoBearer | null;
}

/** While the vault does not answer, the token is `unavailable`. */
export async function carryBearer(
  world: Pick<McpProxyWorld, 'tokens' | 'managedTokens'>,
  { user, match, managed }: Pick<KnownIdentity, 'user' | 'match' | 'managed'>,
  signal: AbortSignal,
): Promise<Carried | NoBearer> {
  if (match === null) return managed === null ? ANONYMOUS : NO_IDENTITY;
  const tokens = managed === null ? world.tokens : world.managedTokens(managed, user);
  const first = await tokens.bearer(match, signal).catch(unavailable);
  if (first.status !== 'bearer') return first;
  const held: Bearer[] = [first];
  const refused: NoBearer[] = [];
  const current = () => held.at(-1) ?? first;
  return {
    status: 'carried',
    bearer: {
      token: async () => current().token,
      async onUnauthorized() {
        const renewed = await tokens.renew(match, current(), signal).catch(unavailable);
        if (renewed.status === 'bearer') return void held.push(renewed);
        refused.push(renewed);
        throw new Fault('secret_unavailable', 'the server refused the token, and there is no other one');
      },
    },
    inUse: () => held.flatMap(({ inUse }) => inUse),
    version: () => current().version,
    notRenewed: () => refused[0] ?? null,
  };
}

function unavailable(error: unknown): NoBearer {
  if (!(error instanceof Fault)) throw error;
  return { status: 'unavailable', retryAfterMs: null, detail: error.code };
}

const ANONYMOUS: Carried = {
  status: 'carried',
  bearer: null,
  inUse: () => [],
  version: () => null,
  notRenewed: () => null,
};

/** The service does not know the user's identity, so it can ask no organisation about them. A sign-in helps. */
const NO_IDENTITY: NoBearer = {
  status: 'needs_reauth',
  retryAfterMs: null,
  detail: 'no vault of the session holds an identity of its user',
};
