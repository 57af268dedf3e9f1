/** Connections that a client of the API asks for, and how connections stand. */
import type { SettlePorts } from '#core/connect/connect-world.ts';
import type { Connect, ConnectCreate } from '#contract/connect.ts';
import type { AgentId, ConnectId, SessionId, WorkspaceId } from '#contract/ids.ts';
import type { AllowedHosts } from '#contract/outbound.ts';
import { USER_KEY } from '#contract/vaults.ts';
import type { WaitingCall, ConnectionFacts } from '#core/ports/connection-records.ts';
import { connectionView, connectionFacts, statusAt } from '#core/connect/connection.ts';
import { settleConnection } from '#core/connect/settle-connection.ts';
import { isIdentity, managedServer, type Enterprise } from '#core/vault/enterprise.ts';
import { judgeUrl } from '#core/outbound/destination.ts';
import type { Ports } from '#core/ports/ports.ts';
import { isRefusal, refuse, type RequestRefusal } from '#core/ports/errors.ts';
import { namedUser } from '#core/vault/named-user.ts';
import { canonicalServerUrl } from '#core/vault/server-url.ts';

export interface RequestConnectionPorts extends SettlePorts, Pick<Ports, 'vaults' | 'agents' | 'newToken'> {
  readonly enterprise: Enterprise | null;
  /** Whether the call still waits: it may have been denied or interrupted meanwhile, or its session deleted. */
  readonly isWaiting: (call: WaitingCall) => Promise<boolean>;
  /** Where the pages are; null when the deployment has no identity provider. */
  readonly baseUrl: string | null;
  /** Places beside https ones to which a browser may be sent. */
  readonly returnUrls: readonly string[];
  readonly serversAllowed: AllowedHosts;
}

const unconfigured = refuse(
  'invalid_request_error',
  'connecting users is not set up: give the construct its `connect`, the identity provider at which users log in',
);

export async function requestConnection(
  world: RequestConnectionPorts,
  workspace: WorkspaceId,
  body: ConnectCreate,
): Promise<Connect | RequestRefusal> {
  if (world.baseUrl === null) return unconfigured;
  const vault = await world.vaults.find(workspace, body.vault_id);
  if (vault === null) return refuse('not_found_error', 'vault_id: there is no such vault');
  if (vault.archived_at !== null) return refuse('invalid_request_error', 'vault_id: is archived');
  const user = namedUser(vault);
  if (user === null) return refuse('invalid_request_error', `vault_id: its metadata names no ${USER_KEY} to be asked`);
  const server = serverOf(world, body.mcp_server_url);
  if (isRefusal(server)) return server;
  if (body.return_url !== undefined && !mayReturn(body.return_url, world.returnUrls)) {
    return refuse('invalid_request_error', 'return_url: must be an https URL, or one of `connect.returnUrls`');
  }
  const agent = body.agent_id === undefined ? null : await agentOf(world, workspace, body.agent_id);
  if (isRefusal(agent)) return agent;
  const facts = connectionFacts(world, {
    workspace,
    vault: vault.id,
    user,
    server,
    agent,
    scopes: body.scopes ?? [],
    returnUrl: body.return_url ?? null,
  });
  await world.connections.create(facts);
  return connectionView({ ...facts, status: 'pending', error: null, endedAt: null }, world.baseUrl, facts.createdAt);
}

/** Null when there is no such connection in this workspace. */
export async function connectionStatus(
  world: RequestConnectionPorts,
  workspace: WorkspaceId,
  id: ConnectId,
): Promise<Connect | null> {
  const found = await world.connections.find(id);
  if (found === null || found.workspace !== workspace) return null;
  return connectionView(await settleConnection(world, found), world.baseUrl ?? '', world.stamp.now());
}

/** Those that their user can still open, so that a call of the session goes on or the session has more tools. */
export async function connectionsOfSession(
  world: RequestConnectionPorts,
  workspace: WorkspaceId,
  session: SessionId,
): Promise<Connect[]> {
  const found = await world.connections.ofSession(workspace, session);
  const settled = await Promise.all(found.map((record) => settleConnection(world, record)));
  const now = world.stamp.now();
  const open = settled.filter((record) => statusAt(record, now) === 'pending');
  const awaited = await Promise.all(open.map(({ waiting }) => anyWaits(world, waiting)));
  return open.filter((_, index) => awaited[index]).map((record) => connectionView(record, world.baseUrl ?? '', now));
}

async function anyWaits({ isWaiting }: RequestConnectionPorts, calls: readonly WaitingCall[]): Promise<boolean> {
  return (await Promise.all(calls.map(isWaiting))).includes(true);
}

function serverOf(
  { enterprise, serversAllowed }: RequestConnectionPorts,
  url: string,
): ConnectionFacts['server'] | RequestRefusal {
  const canonical = canonicalServerUrl(url);
  if (canonical === null) return refuse('invalid_request_error', 'mcp_server_url: must not carry credentials');
  // What the user can do for a server that their organisation manages is to sign in, once for all of them.
  if (enterprise !== null && (isIdentity(enterprise, canonical) || managedServer(enterprise, canonical) !== null)) {
    return { url: enterprise.identityUrl, name: null, resourceMetadata: null };
  }
  const judged = judgeUrl(canonical, serversAllowed);
  if (judged.status === 'blocked') return refuse('invalid_request_error', `mcp_server_url: its host ${judged.rule}`);
  return { url: canonical, name: null, resourceMetadata: null };
}

/** An entry is an origin, with everything below it, or one URL; an app's own scheme has no origin. */
export function mayReturn(text: string, allowed: readonly string[]): boolean {
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '') return false;
  return url.protocol === 'https:' || allowed.includes(text) || (url.origin !== 'null' && allowed.includes(url.origin));
}

async function agentOf(
  { agents }: RequestConnectionPorts,
  workspace: WorkspaceId,
  id: AgentId,
): Promise<ConnectionFacts['agent'] | RequestRefusal> {
  const agent = await agents.find(workspace, id);
  if (agent === null) return refuse('not_found_error', 'agent_id: there is no such agent');
  return { id: agent.id, name: agent.name, version: agent.version };
}
