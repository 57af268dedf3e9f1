/**
 * A call at its hand is judged once more: policy may have changed since the call was told, and a customer's own hook has
 * the last word. While that takes its time everything else may change, so it is looked at again before anything is sent.
 */
import type { WantedCall } from '#contract/mcp-proxy.ts';
import type { Caller } from '#core/mcp/caller.ts';
import { earlierAttempts, type Earlier } from '#core/mcp/attempt.ts';
import { denial, judge, type DenialCode, type Judged } from '#core/mcp/judge.ts';
import type { McpProxyWorld } from '#core/mcp/proxy-world.ts';
import { hookCall } from '#core/policy/hook-call.ts';
import type { Head } from '#core/ports/session-log.ts';

type Wanted = WantedCall & { readonly isConfirmed: boolean };

export interface CallAtHand {
  readonly call: WantedCall;
  /** Position of what gave it to its hand. */
  readonly since: number;
  readonly isConfirmed: boolean;
}

export interface JudgedAtHand {
  readonly judged: Judged;
  readonly earlier: Earlier;
}

/** Null when it is not at this hand any more. Without a hook nothing is read twice. */
export async function judgeAtHand(
  world: McpProxyWorld,
  caller: Caller,
  atHand: CallAtHand,
): Promise<JudgedAtHand | null> {
  const { call, isConfirmed } = atHand;
  // Before it is denied, limited or left without a token, all of which say that it was not made.
  const [hooked, earlier] = await Promise.all([
    judgeWithHook(world, caller, { ...call, isConfirmed }),
    earlierAttempts(world, atHand),
  ]);
  const { judged, isAsked } = hooked;
  if (!isAsked) return { judged, earlier };
  const head = await world.log.head(caller.key);
  if (head === null || !isStill(head, atHand)) return null;
  const input = judged.permit?.input ?? call.input;
  const [now, later] = await Promise.all([
    judge(world, { ...caller, head }, { ...call, input, isConfirmed }),
    earlierAttempts(world, atHand),
  ]);
  return { judged: judged.permit === null ? judged : afterHook(judged, confirmed(now, isConfirmed)), earlier: later };
}

/** `isAsked`: a hook was, which may have taken seconds. */
async function judgeWithHook(
  world: McpProxyWorld,
  caller: Caller,
  wanted: Wanted,
): Promise<{ readonly judged: Judged; readonly isAsked: boolean }> {
  const judged = confirmed(await judge(world, caller, wanted), wanted.isConfirmed);
  const { permit } = judged;
  if (permit === null) return { judged, isAsked: false };
  const call = { id: wanted.id, facts: permit.facts, input: permit.input };
  const { decision, input, isAsked } = await hookCall(world, call, judged.decision);
  const hooked = decision.decision === 'deny' ? null : { ...permit, input: { ...input } };
  return { judged: { ...judged, decision, permit: hooked }, isAsked };
}

/** What has to be asked now was not asked then. */
function confirmed(judged: Judged, isConfirmed: boolean): Judged {
  return judged.permit !== null && judged.decision.decision === 'ask' && !isConfirmed
    ? denied(judged, 'confirmation_missing')
    : judged;
}

function isStill({ state }: Head, { call, since }: CallAtHand): boolean {
  return state.calls.some((open) => open.id === call.id && open.waitsFor === 'hand' && open.since === since);
}

/** What the hook has let pass, unless it would not be the same call any more. */
function afterHook(hooked: Judged, now: Judged): Judged {
  if (now.permit === null) return now;
  const isSame = hooked.user === now.user && credentialIn(hooked) === credentialIn(now);
  return isSame ? { ...hooked, permit: now.permit } : denied(now, 'credential_changed');
}

const credentialIn = ({ permit }: Judged) => permit?.identity.match?.stored.credential.id ?? null;

function denied(judged: Judged, code: DenialCode): Judged {
  const { policyIds, policySha256, mode, would } = judged.decision;
  return { ...judged, decision: { ...denial(code), policyIds, policySha256, mode, would }, permit: null };
}
