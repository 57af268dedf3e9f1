/** Calls that are judged before a hand has them: the calls of a new answer, and those that a person refuses. */
import type { OpenCall } from '#contract/entries.ts';
import type { McpVerdict, WantedCall } from '#contract/mcp-proxy.ts';
import { recordDenial } from '#core/mcp/audited.ts';
import { callerOf, identify, serverNamed, wantedCall, type Caller } from '#core/mcp/caller.ts';
import { denied, judgeCall } from '#core/mcp/judge-call.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Append, LogKey } from '#core/ports/session-log.ts';

/**
 * One verdict per call, in order. A denial is in the audit trail before its verdict is returned; while the trail takes no
 * records, the verdict says so.
 */
export async function judgeCalls(
  world: McpProxyWorld,
  key: LogKey,
  calls: readonly WantedCall[],
): Promise<readonly McpVerdict[]> {
  const caller = await callerOf(world, key);
  return Promise.all(calls.map((call) => verdictOn(world, caller, call)));
}

async function verdictOn(world: McpProxyWorld, caller: Caller, call: WantedCall): Promise<McpVerdict> {
  const isConfirmed = false;
  const judged = await judgeCall(world, caller, { ...call, isConfirmed });
  const { decision, reason } = judged.decision;
  if (decision !== 'deny') return { id: call.id, decision, reason: '' };
  try {
    await recordDenial(world, { caller, call, judged, isConfirmed });
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'audit_unavailable') throw error;
    return { id: call.id, decision, reason: UNRECORDED };
  }
  return { id: call.id, decision, reason };
}

const UNRECORDED =
  'Calls of MCP tools cannot be recorded just now (audit_unavailable), so none is made. Try again later.';

export type RefusalPorts = Pick<McpProxyWorld, 'log' | 'sessions' | 'credentials' | 'enterprise' | 'audit' | 'sha256'>;

/**
 * Records each of the calls that a person refuses, before the refusal is appended and ends them: no hand hears of a
 * refused call. A repeat, or an append that loses its race, may leave the records twice. Throws `Fault`
 * `audit_unavailable`: then nothing may be appended.
 */
export async function recordRefused(
  world: RefusalPorts,
  { key, after }: Pick<Append, 'key' | 'after'>,
  refused: readonly OpenCall[],
): Promise<void> {
  const caller = await callerOf(world, key, after);
  await Promise.all(refused.map((open) => recordOne(world, caller, open)));
}

/** Server and user are null when they cannot be told: the agent may have lost the server while the call waited. */
async function recordOne(world: RefusalPorts, caller: Caller, open: OpenCall): Promise<void> {
  const call = await wantedCall(world, caller.key, open);
  const server = serverNamed(caller.agent, call.server);
  const identity = server === null ? null : await identify(world, caller, server.url);
  const user = identity?.status === 'known' ? identity.user : null;
  const judged = denied('confirmation_denied', server, user);
  await recordDenial(world, { caller, call, judged, isConfirmed: false });
}
