import { PRIME_SUM } from '../model/default-script.ts';
import { textOf } from './describe-event.ts';
import type { Arrival, SessionEvent } from './run-demo.ts';

export const MESSAGE =
  'Write a Bash script primes.sh that adds up the first 100 prime numbers and keeps the answer in result.txt. ' +
  'Run it, read result.txt back, and tell me the sum.';

/** Returns a sentence about what went wrong, or null when the session finished and its answer is right. */
export function judge(arrivals: readonly Arrival[]): string | null {
  const events = arrivals.map(({ event }) => event);
  const last = events.at(-1);
  if (last?.type === 'session.status_terminated') return 'The session was terminated.';
  if (last?.type !== 'session.status_idle') return `The event stream ended early, after ${last?.type ?? 'no event'}.`;
  if (last.stop_reason.type !== 'end_turn')
    return `The session stopped with ${last.stop_reason.type}. ${lastError(events)}`;
  return brokenCall(events) ?? wrongAnswer(events);
}

function lastError(events: readonly SessionEvent[]): string {
  return events.findLast((event) => event.type === 'session.error')?.error.message ?? '';
}

/** What a crash must not do: lose a call, or show its result twice. */
function brokenCall(events: readonly SessionEvent[]): string | null {
  const results = events.flatMap((event) => (event.type === 'agent.tool_result' ? [event.tool_use_id] : []));
  for (const event of events) {
    if (event.type !== 'agent.tool_use') continue;
    const count = results.filter((id) => id === event.id).length;
    if (count !== 1) return `The ${event.name} call has ${count} results instead of one.`;
  }
  return null;
}

function wrongAnswer(events: readonly SessionEvent[]): string | null {
  const outputs = events.filter((event) => event.type === 'agent.tool_result' && !event.is_error);
  if (!outputs.some(saysSum)) return `No tool result contains the sum ${PRIME_SUM}.`;
  const answer = events.findLast((event) => event.type === 'agent.message');
  return answer !== undefined && saysSum(answer) ? null : `The last message does not contain the sum ${PRIME_SUM}.`;
}

/** A model may write 24,133 or 24 133. */
function saysSum(event: SessionEvent): boolean {
  return (
    'content' in event &&
    textOf(event)
      .replaceAll(/(?<=\d)[,.\s_'](?=\d)/g, '')
      .includes(PRIME_SUM)
  );
}
