/** Judges one request of a caller. What cannot be judged is refused. */
import type { Granted } from '#contract/egress.ts';
import { decide, type Deployment } from '#core/egress/decide.ts';
import type { Target } from '#core/egress/target.ts';
import type { Block } from '#core/outbound/address.ts';
import type { Refusal } from './exchange.ts';
import type { Grants } from './grants.ts';
import type { Caller } from './greeting.ts';
import type { Judged } from './opened.ts';

export type Verdict =
  | (Extract<Judged, { readonly status: 'allowed' }> & { readonly admitted: readonly Block[] })
  /** Without a grant there is no subject that a report could name. */
  | (Extract<Judged, { readonly status: 'refused' }> & { readonly granted: Granted | null });

export type Judge = (caller: Caller, target: Target) => Promise<Verdict>;

export function judgeBy(grants: Grants, deployment: Deployment): Judge {
  return async (caller, target) => {
    const granted = await grants(caller);
    if (granted.status !== 'granted')
      return { status: 'refused', granted: null, refusal: WITHOUT_GRANT[granted.status] };
    const decision = decide(granted, target, deployment);
    if (decision.status === 'allowed') return { ...decision, granted };
    return { status: 'refused', granted, refusal: { status: 403, rule: decision.rule, sentence: decision.sentence } };
  };
}

export const WITHOUT_GRANT = {
  unknown: { status: 407, rule: 'unknown_caller', sentence: 'the service does not know this sandbox' },
  too_many: {
    status: 503,
    rule: 'too_many_callers',
    sentence: 'this address speaks for too many sandboxes; try again in 30 seconds',
  },
  unreachable: {
    status: 503,
    rule: 'no_grant',
    sentence: 'the service could not be asked what this sandbox may reach; try again in a moment',
  },
} as const satisfies Record<string, Refusal>;
