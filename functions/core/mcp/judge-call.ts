/** Whether one call may be made: the agent enables its tool, the tool is the pinned one, and policy and hooks allow it. */
import { recordIn } from '#contract/entries.ts';
import { primaryThread, type EventId, type Position } from '#contract/ids.ts';
import type { McpTool, OfferedTool } from '#contract/mcp.ts';
import type { WantedCall } from '#contract/mcp-proxy.ts';
import { identify, serverNamed, type Caller, type KnownIdentity, type KnownServer } from '#core/mcp/caller.ts';
import { earlierAttempts, type Earlier } from '#core/mcp/earlier.ts';
import { fingerprint } from '#core/mcp/pins.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import { hookCall } from '#core/policy/hook-call.ts';
import type { CallFacts, PolicyDecision } from '#core/ports/policy.ts';
import type { Head } from '#core/ports/session-log.ts';
import { effectiveMcpConfig } from '#core/tools/server-tools.ts';

export interface Judged {
  readonly decision: PolicyDecision;
  /** Null when the agent has no such server, or when its URL is not one that can be called. */
  readonly server: KnownServer | null;
  readonly user: string | null;
  /** All that an attempt needs to make the call; null when the call is denied. */
  readonly permit: Permit | null;
}

export interface Permit {
  readonly server: KnownServer;
  readonly tool: McpTool;
  readonly identity: KnownIdentity;
  /** What policy judged, apart from the input. */
  readonly facts: CallFacts;
  /** The input to send. */
  readonly input: WantedCall['input'];
}

type Wanted = Pick<WantedCall, 'server' | 'tool' | 'input'> & { readonly isConfirmed: boolean };

export async function judgeCall(world: McpProxyWorld, caller: Caller, wanted: Wanted): Promise<Judged> {
  const server = serverNamed(caller.agent, wanted.server);
  if (server === null) return denied('unknown_server', null);
  // These reads are independent of each other, so they run at once: the model's turn waits for them.
  const [identity, found] = await Promise.all([
    identify(world, caller, server.url),
    usableTool(world, caller, { server, name: wanted.tool }),
    world.policies.prepare(caller.workspace),
  ]);
  if (identity.status !== 'known') return denied('two_users', server);
  const { user } = identity;
  if (found.status === 'unusable') return denied(found.code, server, user);
  const { tool } = found;
  const { input, isConfirmed } = wanted;
  const facts = factsOf(world, caller, { server, user, tool, isConfirmed });
  const decision = await world.policies.decide(facts, input);
  const permit = decision.decision === 'deny' ? null : { server, tool, identity, facts, input };
  return { decision, server, user, permit };
}

/** What policy judges, apart from the model's arguments. */
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

type Unusable = { readonly status: 'unusable'; readonly code: 'unknown_tool' | 'tool_drift' };

const unusable = (code: Unusable['code']): Unusable => ({ status: 'unusable', code });

/** The tool as it was offered to the model, if the agent enables it and it is the pinned one. */
async function usableTool(
  world: McpProxyWorld,
  caller: Caller,
  { server, name }: { readonly server: KnownServer; readonly name: string },
): Promise<{ readonly status: 'usable'; readonly tool: McpTool } | Unusable> {
  const config = effectiveMcpConfig(caller.agent.tools, { server: server.name, tool: name });
  if (config?.enabled !== true) return unusable('unknown_tool');
  const [offered, pins] = await Promise.all([
    offeredTools(world, caller),
    world.pins.find(caller.workspace, server.url),
  ]);
  const pinned = pins.get(name);
  // A listing of another session may have seen the tool change: the version that this session was offered is gone then.
  if (pinned !== undefined && pinned.drifted !== null) return unusable('tool_drift');
  const tool = offered.find((offer) => offer.server === server.name && offer.tool.name === name)?.tool;
  if (tool === undefined) return unusable('unknown_tool');
  return pinned?.sha256 === fingerprint(tool, world.sha256) ? { status: 'usable', tool } : unusable('tool_drift');
}

/** The tools that the log says the model was offered last. */
async function offeredTools({ log }: McpProxyWorld, { key, head }: Caller): Promise<readonly OfferedTool[]> {
  const { mcp } = head.state;
  const record = mcp === null ? null : recordIn(await log.entryAt(key, mcp.position));
  return record?.kind === 'mcp.listed' ? (record.tools ?? []) : [];
}

/** A call that the log has given to its hand. */
export interface CallAtHand {
  readonly caller: Caller;
  readonly call: WantedCall;
  /** The name of this attempt at the call. */
  readonly attempt: EventId;
  /** The position in the log of the entry that gave it to its hand. */
  readonly sincePosition: Position;
  readonly isConfirmed: boolean;
}

export interface JudgedAtHand {
  readonly judged: Judged;
  readonly earlier: Earlier;
}

/**
 * Judges a call again when its hand has it: policy may have changed since the call was appended, and a customer's hook
 * decides last. The hook takes time, in which everything else may change, so the log, the marks and the verdict are read
 * again after it; without a hook nothing is read twice. Null when the call is not at this hand any more.
 */
export async function judgeAtHand(world: McpProxyWorld, atHand: CallAtHand): Promise<JudgedAtHand | null> {
  const { caller, call, isConfirmed } = atHand;
  // Earlier attempts are read before this one can be denied, limited or left without a token: those outcomes say that
  // the call was not made.
  const [hooked, earlier] = await Promise.all([
    judgeWithHook(world, caller, { ...call, isConfirmed }),
    earlierAttempts(world, atHand),
  ]);
  const { judged, isAsked } = hooked;
  if (!isAsked) return { judged, earlier };
  const head = await world.log.head(caller.key);
  if (head === null || !isStill(head, atHand)) return null;
  const input = judged.permit?.input ?? call.input;
  const [now, later] = await Promise.all([
    judgeCall(world, { ...caller, head }, { ...call, input, isConfirmed }),
    // It was waited for, and what it tells the session meanwhile is in the log.
    earlier.status === 'unknown' ? earlier : earlierAttempts(world, atHand),
  ]);
  return { judged: judged.permit === null ? judged : afterHook(judged, confirmed(now, isConfirmed)), earlier: later };
}

/** `isAsked`: a hook was asked, which may have taken seconds. */
async function judgeWithHook(
  world: McpProxyWorld,
  caller: Caller,
  wanted: WantedCall & { readonly isConfirmed: boolean },
): Promise<{ readonly judged: Judged; readonly isAsked: boolean }> {
  const judged = confirmed(await judgeCall(world, caller, wanted), wanted.isConfirmed);
  const { permit } = judged;
  if (permit === null) return { judged, isAsked: false };
  const call = { id: wanted.id, facts: permit.facts, input: permit.input };
  const { decision, input, isAsked } = await hookCall(world, call, judged.decision);
  const hooked = decision.decision === 'deny' ? null : { ...permit, input: { ...input } };
  return { judged: { ...judged, decision, permit: hooked }, isAsked };
}

/** Denies a call that policy wants confirmed, when no person was asked to confirm it. */
function confirmed(judged: Judged, isConfirmed: boolean): Judged {
  return judged.permit !== null && judged.decision.decision === 'ask' && !isConfirmed
    ? overruled(judged, 'confirmation_missing')
    : judged;
}

function isStill({ state }: Head, { call, sincePosition }: CallAtHand): boolean {
  return state.calls.some(
    (open) => open.id === call.id && open.waitsFor === 'hand' && open.sincePosition === sincePosition,
  );
}

/** The call that the hook has allowed, unless another user or credential would make it. */
function afterHook(hooked: Judged, now: Judged): Judged {
  if (now.permit === null) return now;
  const isSame = hooked.user === now.user && credentialIn(hooked) === credentialIn(now);
  return isSame ? { ...hooked, permit: now.permit } : overruled(now, 'credential_changed');
}

const credentialIn = ({ permit }: Judged) => permit?.identity.match?.stored.credential.id ?? null;

function overruled(judged: Judged, code: DenialCode): Judged {
  const { policyIds, policySha256, mode, would } = judged.decision;
  return { ...judged, decision: { ...denial(code), policyIds, policySha256, mode, would }, permit: null };
}

const REASONS = {
  unknown_server: 'The agent has no such MCP server.',
  unknown_tool: 'The MCP server offers no such tool to this session.',
  tool_drift: 'The MCP server has changed this tool since it was approved, so it waits for a new approval.',
  two_users: 'The vaults of this session belong to different users, so it is not known for which user to act.',
  /** The person gives the reason, and it is in the log. */
  confirmation_denied: '',
  confirmation_missing: 'Policy wants a person to confirm this call, and did not when it was made. Make it again.',
  credential_changed:
    'The user or credential for this MCP server changed while the call was being checked. Make it again.',
} as const;

type DenialCode = keyof typeof REASONS;

function denial(code: DenialCode): PolicyDecision {
  const reason = REASONS[code];
  return { decision: 'deny', code, reason, policyIds: [], policySha256: null, mode: 'none', would: null };
}

export function denied(code: DenialCode, server: KnownServer | null, user: string | null = null): Judged {
  return { decision: denial(code), server, user, permit: null };
}
