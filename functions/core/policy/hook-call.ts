/** Asks the customer's hooks about a call that policy allows, and about its result. */
import type { Hooks, HookedCall, PolicyDecision, Policies } from '#core/ports/policy.ts';

interface Hooked {
  readonly decision: PolicyDecision;
  /** The input to send. */
  readonly input: HookedCall['input'];
  /** Whether a hook was asked, which may have taken seconds. */
  readonly isAsked: boolean;
}

/** `decision` is policy's, on this input. A decision other than `allow` stays, and no hook is asked. */
export async function hookCall(
  { hooks, policies }: { readonly hooks: Hooks; readonly policies: Policies },
  call: HookedCall,
  decision: PolicyDecision,
): Promise<Hooked> {
  const { facts, input } = call;
  if (decision.decision !== 'allow') return { decision, input, isAsked: false };
  const asked = await hooks.before(call);
  if (asked.status === 'none') return { decision, input, isAsked: false };
  const isAsked = true;
  if (asked.status === 'silent') {
    const silent = hooks.failOpen ? { ...decision, code: 'hook_silent' } : deny(decision, 'hook_silent', SILENT);
    return { decision: silent, input, isAsked };
  }
  const { code, error_message: message, override } = asked.answer;
  if (code !== 'OK') return { decision: deny(decision, `hook:${code}`, message ?? REFUSED), input, isAsked };
  const changed = override?.inputs ?? null;
  if (changed === null) return { decision, input, isAsked };
  // A person has confirmed the model's input, and the hook would send another one.
  if (facts.isConfirmed) return { decision: deny(decision, 'approval_mismatch', UNCONFIRMED), input, isAsked };
  const again = await policies.decide(facts, changed);
  const judged = again.decision === 'ask' ? deny(again, 'approval_mismatch', UNCONFIRMED) : again;
  return { decision: judged, input: changed, isAsked };
}

/** `output` replaces the result; null leaves the result as it is. */
type HookedResult =
  | { readonly status: 'shown'; readonly output: string | null; readonly isSilent: boolean }
  | { readonly status: 'withheld'; readonly code: string; readonly reason: string };

/** The call has been made before: a hook can withhold its result, not its effect. */
export async function hookResult(
  hooks: Hooks,
  call: HookedCall,
  result: { readonly success: boolean; readonly output: string },
): Promise<HookedResult> {
  const asked = await hooks.after(call, result);
  if (asked.status === 'none') return { status: 'shown', output: null, isSilent: false };
  if (asked.status === 'silent') {
    if (hooks.failOpen) return { status: 'shown', output: null, isSilent: true };
    return { status: 'withheld', code: 'hook_silent', reason: SILENT };
  }
  const { code, error_message: message, override } = asked.answer;
  if (code !== 'OK') return { status: 'withheld', code: `hook:${code}`, reason: message ?? REFUSED };
  return { status: 'shown', output: override?.output ?? null, isSilent: false };
}

const SILENT = 'The check of this workspace on calls did not answer.';
const REFUSED = 'The check of this workspace on calls refused it.';
const UNCONFIRMED = 'What would be sent was changed after a person had confirmed it, or is to be confirmed first.';

function deny(decision: PolicyDecision, code: string, reason: string): PolicyDecision {
  return { ...decision, decision: 'deny', code, reason };
}
