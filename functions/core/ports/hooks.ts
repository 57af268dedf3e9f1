/**
 * Port of the customer's hooks, which check calls of MCP tools. A hook is asked after policy has allowed the call, and can
 * only restrict: it cannot overrule a denial, and policy judges again the input that a hook changes.
 */
import type { EventId } from '#contract/ids.ts';
import type { PostHookAnswer, PreHookAnswer } from '#contract/hooks.ts';
import type { CallFacts } from '#core/ports/policy.ts';

export interface HookedCall {
  readonly id: EventId;
  readonly facts: CallFacts;
  readonly input: Readonly<Record<string, unknown>>;
}

/** `silent`: it did not answer in time, or the answer is invalid; `detail` is for the log and quotes nothing. */
export type Asked<Answer> =
  | { readonly status: 'none' }
  | { readonly status: 'answered'; readonly answer: Answer }
  | { readonly status: 'silent'; readonly detail: string };

/** Each is asked at most once per attempt, and never throws. */
export interface Hooks {
  readonly failOpen: boolean;
  before(call: HookedCall): Promise<Asked<PreHookAnswer>>;
  after(
    call: HookedCall,
    result: { readonly success: boolean; readonly output: string },
  ): Promise<Asked<PostHookAnswer>>;
}
