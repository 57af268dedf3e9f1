/** What came of the session: whether its answer is right, and what it took. */
import { PRIME_SUM } from '../model/default-script.ts';
import type { Call } from './crash.ts';
import { textOf } from './event-line.ts';
import type { Arrival, SessionEvent } from './session.ts';
import { seconds } from './terminal.ts';

export const MESSAGE =
  'Write a Bash script primes.sh that adds up the first 100 prime numbers and keeps the answer in result.txt. ' +
  'Run it, read result.txt back, and tell me the sum.';

/** Returns a sentence about what went wrong, or null when the session finished and its answer is right. */
export function judge(arrivals: readonly Arrival[]): string | null {
  const events = arrivals.map(({ event }) => event);
  const last = events.at(-1);
  if (last?.type === 'session.status_terminated') return 'The session was terminated.';
  if (last?.type !== 'session.status_idle') return `The event stream ended early, after ${last?.type ?? 'no event'}.`;
  if (last.stop_reason.type !== 'end_turn') {
    const error = events.findLast((event) => event.type === 'session.error')?.error.message ?? '';
    return `The session stopped with ${last.stop_reason.type}. ${error}`;
  }
  return brokenCall(events) ?? wrongAnswer(events);
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
  const text = 'content' in event ? textOf(event) : '';
  return text.replaceAll(/(?<=\d)[,.\s_'](?=\d)/g, '').includes(PRIME_SUM);
}

/** Without previews the first whole message is the first that a client sees of the model's answer. */
const FIRST_TOKEN: ReadonlySet<string> = new Set(['event_start', 'event_delta', 'agent.message', 'agent.tool_use']);

/** `turns` are the model requests that were answered; `followingCalls` only followed the log for the open event stream. */
export function summarize(arrivals: readonly Arrival[], calls: readonly Call[]) {
  const ends = arrivals.flatMap(({ event }) => (event.type === 'span.model_request_end' ? [event] : []));
  const lost = ends.filter((end) => end.is_error).length;
  const byService = Object.entries(Object.groupBy(calls, ({ name }) => name.split(':', 1)[0] ?? name));
  const counts = byService.map(([service, made = []]) => [service, made.length] as const);
  return {
    firstTokenMs: arrivals.find(({ event }) => FIRST_TOKEN.has(event.type))?.atMs ?? null,
    turns: ends.length - lost,
    lostTurns: lost,
    toolCalls: arrivals.filter(({ event }) => event.type === 'agent.tool_use').length,
    awsCalls: Object.fromEntries(counts.toSorted(([a, n], [b, m]) => m - n || a.localeCompare(b))),
    followingCalls: calls.filter(({ by }) => by === 'stream').length,
    wallMs: arrivals.at(-1)?.atMs ?? 0,
  };
}

/** Names and values. */
export function formatSummary(summary: ReturnType<typeof summarize>): readonly (readonly [string, string])[] {
  const { firstTokenMs, turns, lostTurns, toolCalls, awsCalls, followingCalls, wallMs } = summary;
  const services = Object.entries(awsCalls).map(([service, count]) => `${service} ${count}`);
  const following = `(${followingCalls} of them by the open event stream, following the log)`;
  return [
    ['first token', firstTokenMs === null ? 'none' : seconds(firstTokenMs)],
    ['turns', `${turns}${lostTurns > 0 ? ` (and ${lostTurns} without an answer)` : ''}`],
    ['tool calls', String(toolCalls)],
    ['AWS calls', `${services.join(' · ') || 'none'}${followingCalls > 0 ? ` ${following}` : ''}`],
    ['wall time', seconds(wallMs)],
  ];
}
