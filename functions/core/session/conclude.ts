/** What follows when calls stop waiting: the session begins to run, or goes on waiting for less. */
import type { Entry, SessionState } from '#contract/entries.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import { beginRunning, goIdle, requiresAction } from '#core/session/entries.ts';
import { blockedCalls, hasUserMessage, isActive } from '#core/session/waiting.ts';

export function conclude(before: SessionState, now: SessionState, stamp: Stamp): readonly Entry[] {
  if (isActive(now)) return [];
  const blocked = blockedCalls(now);
  if (blocked.length > 0) {
    return blocked.length < blockedCalls(before).length ? goIdle(now, requiresAction(blocked), stamp) : [];
  }
  const isUnblocked =
    !isActive(before) && blockedCalls(before).length > 0 && now.stopReason?.type === 'requires_action';
  return isUnblocked || hasUserMessage(now) ? beginRunning(now, stamp) : [];
}
