/** Whether one call may be made: what the agent enables, what was pinned, and what policy says of both. */
import type { McpTool, OfferedTool } from '#contract/mcp.ts';
import type { WantedCall } from '#contract/mcp-proxy.ts';
import { primaryThread } from '#contract/ids.ts';
import { effectiveMcpConfig } from '#core/tools/effective-config.ts';
import { identify, knownServer, type Caller, type KnownIdentity, type KnownServer } from '#core/mcp/caller.ts';
import { fingerprint } from '#core/mcp/pins.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import type { CallFacts, Decision } from '#core/ports/policy.ts';

export interface Judged {
  readonly decision: Decision;
  /** Null when there is no such server, or nobody can tell who acts towards it. */
  readonly server: KnownServer | null;
  readonly user: string | null;
  /** What is needed to make the call; null when it is denied. */
  readonly permit: Permit | null;
}

export interface Permit {
  readonly server: KnownServer;
  readonly tool: McpTool;
  readonly identity: KnownIdentity;
  /** What policy was told. */
  readonly facts: CallFacts;
  /** What is to be sent. */
  readonly input: WantedCall['input'];
}

type Wanted = Pick<WantedCall, 'server' | 'tool' | 'input'> & { readonly isConfirmed: boolean };

export async function judge(world: McpProxyWorld, caller: Caller, wanted: Wanted): Promise<Judged> {
  const declared = caller.agent.mcp_servers.find(({ name }) => name === wanted.server);
  const server = declared === undefined ? null : knownServer(declared);
  if (server === null) return denied('unknown_server', null);
  // None of these reads needs what another finds, and the model's turn waits for all of them.
  const [identity, tool] = await Promise.all([
    identify(world, caller, server.url),
    usableTool(world, caller, { server, name: wanted.tool }),
    world.policies.prepare(caller.workspace),
  ]);
  if (identity.status !== 'known') return denied('two_users', server);
  const { user } = identity;
  if (typeof tool === 'string') return denied(tool, server, user);
  const facts = factsOf(world, caller, { server, user, tool, isConfirmed: wanted.isConfirmed });
  const decision = await world.policies.decide(facts, wanted.input);
  const { input } = wanted;
  const permit = decision.decision === 'deny' ? null : { server, tool, identity, facts, input };
  return { decision, server, user, permit };
}

/** What policy is told, apart from the model's arguments. */
export function factsOf(
  { stamp }: Pick<McpProxyWorld, 'stamp'>,
  { key, workspace, agent }: Caller,
  call: Pick<CallFacts, 'server' | 'user' | 'tool' | 'isConfirmed'>,
): CallFacts {
  const isPrimary = key.thread === primaryThread(key.session);
  return {
    workspace,
    session: key.session,
    thread: { id: key.thread, isPrimary, depth: isPrimary ? 0 : 1 },
    agent: { id: agent.id, version: agent.version, name: agent.name },
    at: stamp.now(),
    ...call,
  };
}

/** The tool as the model knows it, if the agent enables it and that is what was pinned; else why it may not be used. */
async function usableTool(
  world: McpProxyWorld,
  caller: Caller,
  { server, name }: { readonly server: KnownServer; readonly name: string },
): Promise<McpTool | 'unknown_tool' | 'tool_drift'> {
  const config = effectiveMcpConfig(caller.agent.tools, { server: server.name, tool: name });
  if (config?.enabled !== true) return 'unknown_tool';
  const [offered, pins] = await Promise.all([
    offeredTools(world, caller),
    world.pins.find(caller.workspace, server.url),
  ]);
  const pinned = pins.get(name);
  // Whoever has seen it change: what this session was offered before may be what was pinned, and is that no more.
  if (pinned !== undefined && pinned.drifted !== null) return 'tool_drift';
  const tool = offered.find((offer) => offer.server === server.name && offer.tool.name === name)?.tool;
  if (tool === undefined) return 'unknown_tool';
  return pinned?.sha256 === fingerprint(tool, world.sha256) ? tool : 'tool_drift';
}

/** The tools that the log says the model was offered last. */
async function offeredTools({ log }: McpProxyWorld, { key, head }: Caller): Promise<readonly OfferedTool[]> {
  const { mcp } = head.state;
  const entry = mcp === null ? null : await log.entryAt(key, mcp.at);
  const record = entry !== null && 'record' in entry ? entry.record : null;
  return record?.kind === 'mcp.listed' ? (record.tools ?? []) : [];
}

const REASONS = {
  unknown_server: 'The agent has no such MCP server.',
  unknown_tool: 'The MCP server offers no such tool to this session.',
  tool_drift: 'The MCP server has changed this tool since it was approved, so it waits for a new approval.',
  two_users: 'The vaults of this session belong to different users, so nobody can tell for whom to act.',
  confirmation_missing: 'Policy wants a person to confirm this call, and did not when it was made. Make it again.',
  credential_changed: 'Who acts towards this MCP server changed while the call was being checked. Make it again.',
} as const;

export type DenialCode = keyof typeof REASONS;

export function denial(code: DenialCode): Decision {
  const reason = REASONS[code];
  return { decision: 'deny', code, reason, policyIds: [], policySha256: null, mode: 'none', would: null };
}

function denied(code: DenialCode, server: KnownServer | null, user: string | null = null): Judged {
  return { decision: denial(code), server, user, permit: null };
}
