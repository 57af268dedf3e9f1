/** What came of the session: whether its answer is right, and what it took. */
import { PRIME_SUM } from '../model/default-script.ts';
import { seconds } from '../terminal.ts';
import type { Call } from './crash.ts';
import { textOf } from './event-line.ts';
import type { Arrival, SessionEvent } from './session.ts';

export const MESSAGE =
  'Write a Bash script primes.sh that adds up the first 100 prime numbers and keeps the answer in result.txt. ' +
  'Run it, read result.txt back, and tell me the sum.';

/** Returns a sentence about what went wrong, or null when each call has one result and the answer is right. */
export function judge(arrivals: readonly Arrival[]): string | null {
  const events = arrivals.map(({ event }) => event);
  const last = events.at(-1);
  if (last?.type !== 'session.status_idle') return `The event stream ended early, after ${last?.type ?? 'no event'}.`;
  if (last.stop_reason.type !== 'end_turn') {
    const error = events.findLast((event) => event.type === 'session.error')?.error.message ?? '';
    return `The session stopped with ${last.stop_reason.type}. ${error}`;
  }
  const results = events.filter((event) => event.type === 'agent.tool_result');
  for (const call of events.filter((event) => event.type === 'agent.tool_use')) {
    const count = results.filter((result) => result.tool_use_id === call.id).length;
    if (count !== 1) return `The ${call.name} call has ${count} results instead of one.`;
  }
  if (!results.some((result) => !result.is_error && saysSum(result))) return `No tool result contains ${PRIME_SUM}.`;
  const answer = events.findLast((event) => event.type === 'agent.message');
  return answer !== undefined && saysSum(answer) ? null : `The last message does not contain the sum ${PRIME_SUM}.`;
}

/** A model may write 24,133 or 24 133. */
function saysSum(event: Parameters<typeof textOf>[0]): boolean {
  return textOf(event)
    .replaceAll(/(?<=\d)[,.\s_'](?=\d)/g, '')
    .includes(PRIME_SUM);
}

/** Without previews the first whole message is the first that a client sees of the model's answer. */
const FIRST_TOKEN: ReadonlySet<string> = new Set(['event_start', 'event_delta', 'agent.message', 'agent.tool_use']);

/** Names and values. Turns are the model requests that were answered. */
export function summarize(arrivals: readonly Arrival[], calls: readonly Call[]): readonly string[][] {
  const count = (is: (event: SessionEvent) => boolean | null) => arrivals.filter(({ event }) => is(event)).length;
  const lost = count((event) => event.type === 'span.model_request_end' && event.is_error);
  const firstToken = arrivals.find(({ event }) => FIRST_TOKEN.has(event.type));
  const turns = count((event) => event.type === 'span.model_request_end') - lost;
  const byService = Object.entries(Object.groupBy(calls, ({ name }) => name.split(':', 1)[0] ?? name));
  const services = byService.toSorted(([, a = []], [, b = []]) => b.length - a.length);
  const following = calls.filter(({ by }) => by === 'stream').length;
  const ofThem = following > 0 ? ` (${following} of them by the open event stream, following the log)` : '';
  return [
    ['first token', firstToken === undefined ? 'none' : seconds(firstToken.atMs)],
    ['turns', `${turns}${lost > 0 ? ` (and ${lost} without an answer)` : ''}`],
    ['tool calls', String(count((event) => event.type === 'agent.tool_use'))],
    ['AWS calls', services.map(([service, made = []]) => `${service} ${made.length}`).join(' · ') + ofThem],
    ['wall time', seconds(arrivals.at(-1)?.atMs ?? 0)],
  ];
}
