/** What comes of a model request, be it for an answer or for a summary. */
import type { SessionState } from '#contract/entries.ts';
import type { EventId } from '#contract/ids.ts';
import { Fault } from '#core/ports/errors.ts';
import type { Story } from '#core/harness/history.ts';
import { MAX_FAILURES } from '#core/session/commands.ts';
import { toldOf } from '#core/harness/provider-errors.ts';
import { canMakeRoom } from '#core/model/room.ts';
import type { TurnWorld } from '#core/harness/turn-world.ts';
import type { ModelAnswer } from '#core/ports/model.ts';
import type { Head, LogKey } from '#core/ports/session-log.ts';

export type Asked =
  | { readonly status: 'answered'; readonly story: Story }
  | { readonly status: 'compacted'; readonly story: Story }
  | { readonly status: 'failed'; readonly story: Story; readonly retryAfterSeconds: number | null }
  /** Something was appended before the claim, so the step is decided again. */
  | { readonly status: 'overtaken'; readonly story: Story }
  /** Another attempt owns the turn now: this one goes home. */
  | { readonly status: 'fenced'; readonly run: number };

export type Heard =
  | { readonly status: 'answer'; readonly answer: ModelAnswer }
  | { readonly status: 'error'; readonly error: unknown };

/** What a claim that lost its append has lost it to. */
export async function overtaken(world: TurnWorld, key: LogKey, before: Head, head: Head): Promise<Asked> {
  const { request } = head.state;
  if (request !== null && request.at > before.position) return { status: 'fenced', run: before.state.run };
  const story = await world.history.load(key);
  if (story === null || story.head.state.run !== before.state.run) return { status: 'fenced', run: before.state.run };
  return { status: 'overtaken', story };
}

export function failureOf(story: Story, request: EventId, fault: Fault) {
  const attempts = story.head.state.failures + 1;
  return {
    do: 'fail' as const,
    request,
    error: toldOf(fault).type,
    message: toldOf(fault).message,
    verdict: verdictOf(fault, story.head.state, attempts),
  };
}

function verdictOf(
  fault: Fault,
  state: SessionState,
  attempts: number,
): 'retrying' | 'exhausted' | 'refused' | 'too large' {
  if (fault.code === 'model_input_too_large') return canMakeRoom(state) ? 'too large' : 'refused';
  if (fault.code === 'model_refused_input') return 'refused';
  return fault.retryable && attempts < MAX_FAILURES ? 'retrying' : 'exhausted';
}

/** Only the model's own faults are told to the session; anything else is a bug and must stay visible as one. */
export function faultOf(error: unknown): Fault {
  if (error instanceof Fault) return error;
  throw error;
}
