/** From a model fault to what the session's readers are told; messages carry no provider text, which may quote input. */
import type { TurnErrorType } from '#contract/events.ts';
import type { Fault, FaultCode } from '#core/ports/errors.ts';

interface Told {
  readonly type: TurnErrorType;
  readonly message: string;
}

const TOLD: Partial<Record<FaultCode, Told>> = {
  model_overloaded: { type: 'model_overloaded_error', message: 'The model is overloaded.' },
  model_rate_limited: { type: 'model_rate_limited_error', message: 'The model provider limits the rate of requests.' },
  model_unreachable: { type: 'model_request_failed_error', message: 'The model provider could not be reached.' },
  model_billing: { type: 'billing_error', message: 'The model provider refuses the request for billing reasons.' },
};

export function toldOf(fault: Fault): Told {
  return TOLD[fault.code] ?? { type: 'model_request_failed_error', message: fault.message };
}
