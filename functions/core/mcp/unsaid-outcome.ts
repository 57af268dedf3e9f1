/** What the audit trail lacks of a call that is not at its hand any more: an attempt died that was to say it. */
import type { OpenCall } from '#contract/entries.ts';
import type { EventId, SessionId, WorkspaceId } from '#contract/ids.ts';
import { LOOK_MS, LOOKS } from '#core/mcp/attempt.ts';
import type { CallOutcome } from '#core/mcp/audited.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';

type Outcome = CallOutcome['outcome'];

export interface AuditedCall {
  readonly workspace: WorkspaceId;
  readonly session: SessionId;
  readonly id: EventId;
  /** Undefined for one that has its result, or that an interrupt ended. */
  readonly open: OpenCall | undefined;
}

/** Null when it lacks nothing. Of a call that is over nothing is sent from here on, whoever is still about to. */
export async function unsaidOutcome(
  world: Pick<McpProxyWorld, 'marks' | 'auditedCalls' | 'stamp' | 'pause'>,
  call: AuditedCall,
): Promise<Outcome | null> {
  if (call.open !== undefined) return call.open.isSuspended && (await isUnsaid(world, call)) ? 'suspended' : null;
  const mark = await world.marks.start(call.id, world.stamp.now());
  if (mark.status === 'done') return null;
  const isLacking = await isUnsaid(world, call, mark.status === 'found started');
  if (isLacking) return mark.status === 'started' ? 'failed' : 'unknown';
  await world.marks.done(call.id);
  return null;
}

/** `isIntended`: although no record of it is found. Another attempt that is under way is given a moment to say it. */
async function isUnsaid(
  { auditedCalls, pause }: Pick<McpProxyWorld, 'auditedCalls' | 'pause'>,
  { workspace, session, id }: AuditedCall,
  isIntended = false,
): Promise<boolean> {
  for (let looks = 0; ; looks += 1) {
    const last = await auditedCalls.lastOf(workspace, session, id);
    if (last === 'outcome' || (last === null && !isIntended)) return false;
    if (looks === LOOKS) return true;
    await pause(LOOK_MS);
  }
}
