/** Verdicts on the calls of an answer, before the answer is told: what is denied is never shown as allowed. */
import type { McpVerdict, WantedCall } from '#contract/mcp-proxy.ts';
import { Fault } from '#core/ports/errors.ts';
import { callerOf, type Caller } from '#core/mcp/caller.ts';
import { recordDenial } from '#core/mcp/audited.ts';
import { judge } from '#core/mcp/judge.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import type { LogKey } from '#core/ports/session-log.ts';

/** One verdict per call, in order. Refusals are in the audit trail by then, or denied for want of one. */
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
  const judged = await judge(world, caller, { ...call, isConfirmed });
  const { decision, reason } = judged.decision;
  if (decision !== 'deny') return { id: call.id, decision, reason: '' };
  try {
    await recordDenial(world, caller, { call, judged, isConfirmed });
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'audit_unavailable') throw error;
    return { id: call.id, decision, reason: UNRECORDED };
  }
  return { id: call.id, decision, reason };
}

const UNRECORDED =
  'Calls of MCP tools cannot be recorded just now (audit_unavailable), so none is made. Try again later.';
