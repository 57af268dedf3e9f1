/**
 * Lists the tools that each MCP server of a session's agent offers: those that are enabled, visible to policy and not
 * quarantined. A server that fails has a failed listing, and does not delay or change the listings of the others.
 */
import type { SessionAgent } from '#contract/agents.ts';
import type { McpServer, McpTool, ServerListing } from '#contract/mcp.ts';
import {
  callerOf,
  carryBearer,
  identify,
  knownServer,
  type Caller,
  type KnownIdentity,
  type KnownServer,
} from '#core/mcp/caller.ts';
import { connectingHelps, connectionUrl, type Holder } from '#core/mcp/connection-link.ts';
import { withoutUnseen, withOwnName } from '#core/mcp/pins.ts';
import type { McpFailure, McpListed } from '#core/ports/mcp-client.ts';
import { offerable } from '#core/mcp/offerable.ts';
import { isTaken } from '#core/tools/offer-tools.ts';
import { redact, redactFailure } from '#core/mcp/redact.ts';
import type { McpProxyWorld, Until } from '#core/mcp/proxy-world.ts';
import { badUrl, noToken, tooMuch, troubleOf, twoUsers, type Trouble } from '#core/mcp/trouble.ts';
import type { LogKey } from '#core/ports/session-log.ts';
import { unlessAborted } from '#core/ports/unless-aborted.ts';
import type { NoBearer } from '#core/ports/tokens.ts';

export async function listServers(world: McpProxyWorld, key: LogKey, until: Until): Promise<readonly ServerListing[]> {
  const caller = await callerOf(world, key);
  const servers = usedServers(caller.agent);
  const listings = await Promise.all(servers.map((server) => listingOf(world, caller, { server, until })));
  return withinRoom(listings);
}

/** About 100,000 tokens: every model request of the session holds the tools, and the smallest window is twice that. */
const MAX_BYTES = 400_000;

/** When the servers before it leave no room for a server's tools, its listing is failed, not empty. */
function withinRoom(listings: readonly ServerListing[]): readonly ServerListing[] {
  let room = MAX_BYTES;
  return listings.map((listing) => {
    if (listing.status === 'failed') return listing;
    const bytes = new TextEncoder().encode(JSON.stringify(listing.tools)).length;
    if (bytes > room) return failed(listing.server, tooMuch(listing.server));
    room -= bytes;
    return listing;
  });
}

/** The servers with a tool that the agent enables, in the agent's order. */
function usedServers({ mcp_servers: servers, tools }: SessionAgent): readonly McpServer[] {
  return servers.filter(({ name }) =>
    tools.some(
      (tool) =>
        tool.type === 'mcp_toolset' &&
        tool.mcp_server_name === name &&
        [tool.default_config, ...tool.configs].some(({ enabled }) => enabled),
    ),
  );
}

async function listingOf(
  world: McpProxyWorld,
  caller: Caller,
  { server: declared, until }: { readonly server: McpServer; readonly until: Until },
): Promise<ServerListing> {
  const server = knownServer(declared);
  if (server === null) return failed(declared.name, badUrl(declared.name));
  const identity = await identify(world, caller, server.url);
  if (identity.status !== 'known') return failed(server.name, twoUsers(server.name));
  const answer = await inTime(ask(world, { server, identity }, until), until);
  if (answer.status === 'listed') {
    const { tools: said, badTools, askedAt } = answer;
    const usable = withOwnName(said.filter(isTaken));
    const leftOut = badTools + said.length - usable.length;
    if (leftOut > 0) {
      const detail = `${leftOut} tools without a usable name or schema`;
      world.journal.line('tool list', { ...caller.key, server: server.name, outcome: 'tools_left_out', detail });
    }
    const tools = await offerable(world, caller, { server, user: identity.user, tools: usable, askedAt });
    return { status: 'listed', server: server.name, tools: [...tools] };
  }
  const outcome = answer.status === 'failed' ? answer.kind : answer.status;
  world.journal.line('tool list', { ...caller.key, server: server.name, outcome, detail: answer.detail });
  return failedListing(world, caller, { server, identity, answer });
}

/** A token or a list that comes too late does not delay the other servers' listings. */
async function inTime<Answer>(asking: Promise<Answer>, { signal }: Until): Promise<Answer | McpFailure> {
  try {
    return await unlessAborted(asking, signal);
  } catch (error) {
    if (signal.aborted) return LATE;
    throw error;
  }
}

const LATE: McpFailure = {
  status: 'failed',
  kind: 'timeout',
  message: 'It did not answer in time.',
  said: null,
  detail: 'the time for listings is over',
  method: 'tools/list',
  http: null,
  retryAfterMs: null,
  scopes: [],
  resourceMetadata: null,
  sent: true,
};

interface Asked {
  readonly server: KnownServer;
  readonly identity: KnownIdentity;
}

async function ask(
  world: McpProxyWorld,
  { server, identity }: Asked,
  { deadline, signal }: Until,
): Promise<McpListed | McpFailure | NoBearer> {
  const carried = await carryBearer(world, identity, signal);
  if (carried.status !== 'carried') return carried;
  const cacheKey = identity.match?.stored.credential.id ?? null;
  const target = { url: server.url, bearer: carried.bearer, cacheKey, deadline };
  const answer = await world.mcpClient.listTools(target, signal);
  if (answer.status === 'failed') return carried.notRenewed() ?? redactFailure(answer, carried.inUse()).failure;
  // A tool that quotes the token would carry it into every model request; unseen characters could hide it here.
  const quotes = (tool: McpTool) => redact(JSON.stringify(withoutUnseen(tool)), carried.inUse(), '').found;
  return { ...answer, tools: answer.tools.filter((tool) => !quotes(tool)) };
}

async function failedListing(
  world: McpProxyWorld,
  caller: Caller,
  { server, identity, answer }: Asked & { readonly answer: McpFailure | NoBearer },
): Promise<ServerListing> {
  const trouble = troubleWith(server.name, answer, identity);
  const listing = failed(server.name, trouble);
  const mayHelp = answer.status === 'failed' || connectingHelps(answer);
  if (trouble.type !== 'mcp_authentication_failed_error' || !mayHelp) return listing;
  const challenge = answer.status === 'failed' ? answer : null;
  const url = await connectionUrl(world, caller, { server, identity, challenge, call: null });
  return url === null ? listing : { ...listing, action_url: url };
}

/** Without its list the server cannot be used in this run, whatever the reason. */
function troubleWith(server: string, answer: McpFailure | NoBearer, holder: Holder): Trouble {
  if (answer.status !== 'failed') return noToken(server, answer, holder);
  const message = `The MCP server "${server}" did not list its tools. ${answer.message}`;
  return troubleOf(server, answer, holder) ?? { type: 'mcp_connection_failed_error', message };
}

function failed(server: string, { type, message }: Trouble): Extract<ServerListing, { status: 'failed' }> {
  return { status: 'failed', server, error: type, message };
}
