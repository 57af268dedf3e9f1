/** What ends a request that went out: kept as an exception inside the adapter, because streams end in nothing else. */
import type { OutboundFailure } from '#core/outbound/outbound.ts';

export class OutboundError extends Error {
  override readonly name = 'OutboundError';
  readonly failure: OutboundFailure['failure'];

  constructor(failure: OutboundFailure['failure'], host: string | null, rule: string, options?: ErrorOptions) {
    super(`${host ?? 'the URL'} ${rule}`, options);
    this.failure = failure;
  }

  failed(): OutboundFailure {
    return { status: 'failed', failure: this.failure, message: this.message };
  }
}
