/** Decisions about MCP: lists of tools, and calls that wait for people outside the session. */
import type { Entry, OpenCall, SessionState } from '#contract/entries.ts';
import type { EventId, Position } from '#contract/ids.ts';
import type { Head } from '#core/ports/session-log.ts';
import type { Stamp } from '#core/ports/stamp.ts';
import { decided, extended, type CommandTo, type Decided } from '#core/session/commands.ts';
import { afterWaiting, mcpTrouble, resultOf } from '#core/session/entries.ts';
import { isActive, isWaitSince } from '#core/session/waiting.ts';

export function decideListed(head: Head, command: CommandTo<'listed'>, stamp: Stamp): Decided {
  const { state } = head;
  const { run, sha256, tools, failed } = command;
  // Another attempt was faster, or the list is for a run that is over.
  if (!isActive(state) || state.run !== run || state.mcp?.run === run) return decided(head);
  const isKnown = state.mcp?.sha256 === sha256;
  return decided(head, [
    ...failed.map((trouble) => mcpTrouble(stamp, trouble)),
    { record: { kind: 'mcp.listed', at: stamp.now(), run, sha256, tools: isKnown ? null : [...tools] } },
  ]);
}

export function decideSuspend(head: Head, command: CommandTo<'suspend'>, stamp: Stamp): Decided {
  const { state } = head;
  const { call, sincePosition, error } = command;
  const open = state.calls.find(({ id }) => id === call);
  // The call was answered or interrupted, or another attempt of this hand suspended it, and it may be resumed since.
  if (open?.waitsFor !== 'hand' || open.sincePosition !== sincePosition) return decided(head);
  return decided(head, [mcpTrouble(stamp, error), { record: { kind: 'call.suspended', call, at: stamp.now() } }]);
}

export function decideResume(head: Head, { call, sincePosition = null }: CommandTo<'resume'>, stamp: Stamp): Decided {
  const { state } = head;
  if (call === null) return decideOutdated(head, stamp);
  if (suspendedCall(state, call, sincePosition) === null) return decided(head);
  return andGoOn(head, { record: { kind: 'call.resumed', call, at: stamp.now() } }, stamp);
}

export function decideDecline(head: Head, command: CommandTo<'decline'>, stamp: Stamp): Decided {
  const { state } = head;
  const { call, sincePosition = null, reason } = command;
  const suspended = suspendedCall(state, call, sincePosition);
  if (suspended === null) return decided(head);
  const content = [{ type: 'text' as const, text: `declined: ${reason}` }];
  return andGoOn(head, resultOf(suspended, { content, isError: true }, stamp), stamp);
}

/** The suspended call that waits since then; null when there is none, and in a terminated session. */
function suspendedCall(
  { status, calls }: SessionState,
  call: EventId,
  sincePosition: Position | null,
): OpenCall | null {
  if (status === 'terminated') return null;
  return calls.find((open) => open.id === call && open.isSuspended && isWaitSince(open, sincePosition)) ?? null;
}

function andGoOn(head: Head, entry: Entry, stamp: Stamp): Decided {
  const gone = decided(head, [entry]);
  return extended(gone, afterWaiting(head.state, gone.head.state, stamp));
}

function decideOutdated(head: Head, stamp: Stamp): Decided {
  const { state } = head;
  // The next run lists anyway. So it does when a listing under way in this run has just missed the new connection.
  if (!isActive(state) || state.mcp?.run !== state.run) return decided(head);
  return decided(head, [{ record: { kind: 'mcp.outdated', at: stamp.now() } }]);
}
