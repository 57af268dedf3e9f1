/** Questions about a state that several rules ask. */
import type { OpenCall, SessionState } from '#contract/entries.ts';
import type { WaitSince } from '#core/session/commands.ts';

/** Whether an agent is at work: the states in which only the harness, or an interrupt, may end a run. */
export function isActive(state: SessionState): boolean {
  return state.status === 'running' || state.status === 'rescheduling';
}

/** Calls that a person has to confirm or the client has to answer. */
export function blockedCalls(state: SessionState): readonly OpenCall[] {
  return state.calls.filter((call) => call.waitsFor !== 'hand');
}

/** Whether what a suspended call waits for is what its hand, which had it since there, was stopped by. */
export function isWaitSince({ gaveBack }: OpenCall, since: WaitSince): boolean {
  return since === null || gaveBack === null || gaveBack === since;
}

/** Calls that a hand can make now. */
export function readyCalls(state: SessionState): readonly OpenCall[] {
  return state.calls.filter((call) => call.waitsFor === 'hand');
}

/** A system message alone asks for nothing: it waits for the message that does. */
export function hasUserMessage({ queued }: Pick<SessionState, 'queued'>): boolean {
  return queued.some((message) => message.type === 'user.message');
}
