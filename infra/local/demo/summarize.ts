import type { Call } from './calls.ts';
import { paint, seconds, type Screen } from './format-line.ts';
import type { Arrival } from './run-demo.ts';

export interface Summary {
  readonly firstTokenMs: number | null;
  /** Model requests that were answered: one turn each. */
  readonly turns: number;
  readonly lostTurns: number;
  readonly toolCalls: number;
  /** By service. */
  readonly awsCalls: Readonly<Record<string, number>>;
  /** How many of them only followed the log for the open event stream. */
  readonly followingCalls: number;
  readonly wallMs: number;
}

export function summarize(arrivals: readonly Arrival[], calls: readonly Call[]): Summary {
  const ends = arrivals.flatMap(({ event }) => (event.type === 'span.model_request_end' ? [event] : []));
  const lost = ends.filter((end) => end.is_error).length;
  return {
    firstTokenMs: arrivals.find(({ event }) => FIRST_TOKEN.has(event.type))?.atMs ?? null,
    turns: ends.length - lost,
    lostTurns: lost,
    toolCalls: arrivals.filter(({ event }) => event.type === 'agent.tool_use').length,
    awsCalls: callsByService(calls),
    followingCalls: calls.filter(({ by }) => by === 'stream').length,
    wallMs: arrivals.at(-1)?.atMs ?? 0,
  };
}

/** Without previews the first whole message is the first that a client sees of the model's answer. */
const FIRST_TOKEN: ReadonlySet<string> = new Set(['event_start', 'event_delta', 'agent.message', 'agent.tool_use']);

function callsByService(calls: readonly Call[]): Summary['awsCalls'] {
  const counts = new Map<string, number>();
  for (const { name } of calls) {
    const service = name.split(':', 1)[0] ?? name;
    counts.set(service, (counts.get(service) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].toSorted(([, a], [, b]) => b - a));
}

export function formatSummary(summary: Summary, screen: Screen): readonly string[] {
  const rows = [
    ['first token', summary.firstTokenMs === null ? 'none' : seconds(summary.firstTokenMs)],
    ['turns', `${summary.turns}${summary.lostTurns > 0 ? ` (and ${summary.lostTurns} without an answer)` : ''}`],
    ['tool calls', String(summary.toolCalls)],
    ['AWS calls', describeCalls(summary)],
    ['wall time', seconds(summary.wallMs)],
  ] as const;
  return rows.map(([name, value]) => `${paint('dim', name.padStart(14), screen)}  ${value}`);
}

function describeCalls({ awsCalls, followingCalls }: Summary): string {
  const services = Object.entries(awsCalls).map(([service, count]) => `${service} ${count}`);
  if (services.length === 0) return 'none';
  const following =
    followingCalls > 0 ? ` (${followingCalls} of them by the open event stream, following the log)` : '';
  return services.join(' · ') + following;
}
