/** What ends a request that went out: kept as an exception inside the adapter, because streams end in nothing else. */
import type { OutboundFailure } from '#core/ports/outbound.ts';

interface Options extends ErrorOptions {
  /** @default false */
  readonly sent?: boolean;
}

export class OutboundError extends Error {
  override readonly name = 'OutboundError';
  readonly failure: OutboundFailure['failure'];
  /** Whether the other side may have read the request, and begun to act on it. */
  readonly sent: boolean;

  constructor(failure: OutboundFailure['failure'], host: string | null, rule: string, options: Options = {}) {
    super(`${host ?? 'the URL'} ${rule}`, options);
    this.failure = failure;
    this.sent = options.sent ?? false;
  }

  failed(): OutboundFailure {
    return { status: 'failed', failure: this.failure, message: this.message };
  }
}
