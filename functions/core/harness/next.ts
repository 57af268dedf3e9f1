/** The next step of a run, as a pure function of the state. */
import type { OpenCall, SessionState } from '#contract/entries.ts';
import type { Position } from '#contract/ids.ts';
import { MAX_FAILURES, type GivingUp } from '#core/session/commands.ts';
import { isFull, MAX_COMPACTIONS } from '#core/model/room.ts';
import { hasInput, isActive, readyCalls } from '#core/session/waiting.ts';

/** Far below the 25,000 events at which Step Functions fails an execution: one answer may still add hundreds of calls. */
export const MAX_HISTORY_EVENTS = 10_000;

/** Model requests of one turn: an agent that uses tools so often without an end goes round in circles. */
export const MAX_ROUNDS = 1000;

export type Step =
  | { readonly do: 'rest' }
  | { readonly do: 'use hands'; readonly calls: readonly OpenCall[] }
  /** The turn ends after what programs wrote in the sandbox is taken over. */
  | { readonly do: 'harvest'; readonly since: Position }
  | { readonly do: 'end turn'; readonly since: Position }
  | { readonly do: 'ask' }
  /** Asks the agent's MCP servers first: the tools of this run are not known yet. */
  | { readonly do: 'list tools' }
  /** Asks the grader whether the outcome is reached. */
  | { readonly do: 'evaluate' }
  /** Asks for a summary first: the context is nearly as large as the model's window. */
  | { readonly do: 'compact' }
  | { readonly do: 'await action' }
  | { readonly do: 'give up'; readonly cause: GivingUp }
  | { readonly do: 'continue' };

export function next(state: SessionState): Step {
  if (!isActive(state)) return { do: 'rest' };
  const ready = readyCalls(state);
  if (ready.length > 0) return { do: 'use hands', calls: ready };
  if (state.calls.length > 0) return { do: 'await action' };
  // An open request belongs to an attempt that died or will lose its next append: it counts as failed.
  if (state.failures + (state.request === null ? 0 : 1) >= MAX_FAILURES) {
    return { do: 'give up', cause: 'attempts' };
  }
  // A message that came meanwhile keeps the turn going.
  if (state.ending !== undefined && !hasInput(state)) {
    return { do: state.ending.isHarvested ? 'end turn' : 'harvest', since: state.ending.position };
  }
  if (state.rounds >= MAX_ROUNDS) return { do: 'give up', cause: 'rounds' };
  if (state.historyEvents >= MAX_HISTORY_EVENTS) return { do: 'continue' };
  // The grader has a context of its own, so the agent's may be full.
  if (state.outcome?.result === 'evaluating') return { do: 'evaluate' };
  if (!isFull(state)) return { do: isListed(state) ? 'ask' : 'list tools' };
  return state.compactions < MAX_COMPACTIONS ? { do: 'compact' } : { do: 'give up', cause: 'compactions' };
}

/** A compaction makes the state forget the listing, and an outdated listing is of run 0. */
function isListed({ mcpServers, mcp, run }: SessionState): boolean {
  return mcpServers === 0 || mcp?.run === run;
}

/** Seconds before the attempt after `failures` failed ones: 1, 2, 4 … 60, or what the provider asks for, up to 300. */
export function backoffSeconds(failures: number, retryAfterSeconds: number | null): number {
  const growing = Math.min(60, 2 ** Math.max(0, failures - 1));
  return Math.min(300, Math.max(growing, Math.ceil(retryAfterSeconds ?? 0)));
}
