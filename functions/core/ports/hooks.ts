/**
 * Port of a customer's own word on a call. It is asked after policy has allowed the call, and can only take away: a
 * denial of policy is never put to it, and inputs that it changes are judged by policy again.
 */
import type { EventId } from '#contract/ids.ts';
import type { PostHookAnswer, PreHookAnswer } from '#contract/hooks.ts';
import type { CallFacts } from '#core/ports/policy.ts';

export interface HookedCall {
  readonly id: EventId;
  readonly facts: CallFacts;
  readonly input: Readonly<Record<string, unknown>>;
}

/** `silent`: it did not answer in time, or not as it should; `detail` is for the log and quotes nothing. */
export type Asked<Answer> =
  | { readonly status: 'none' }
  | { readonly status: 'answered'; readonly answer: Answer }
  | { readonly status: 'silent'; readonly detail: string };

/** Asked at most once per attempt, and never throws. */
export interface Hooks {
  readonly failOpen: boolean;
  before(call: HookedCall): Promise<Asked<PreHookAnswer>>;
  after(
    call: HookedCall,
    result: { readonly success: boolean; readonly output: string },
  ): Promise<Asked<PostHookAnswer>>;
}
