/** The time that a request which goes out has, over all of its redirects. */
import { OutboundError } from '#core/ports/outbound.ts';

export interface Deadline {
  /** Aborts when the time is over, or when the caller's own signal does. */
  readonly signal: AbortSignal;
  /** What to say of the host that was waited for, and that may have read the request; null while there is time. */
  over(host: string, sent?: boolean): OutboundError | null;
  /** The promise, or a rejection when the time is over first. */
  race<Value>(promise: Promise<Value>): Promise<Value>;
  clear(): void;
}

export function startDeadline(totalMs: number, callers: AbortSignal | undefined): Deadline {
  const own = new AbortController();
  const timer = setTimeout(() => own.abort(), totalMs);
  const signal = callers === undefined ? own.signal : AbortSignal.any([own.signal, callers]);
  return {
    signal,
    over(host, sent = false) {
      if (!own.signal.aborted) return null;
      return new OutboundError('timeout', host, `did not answer within ${totalMs} ms`, { sent });
    },
    async race(promise) {
      const { promise: aborted, reject } = Promise.withResolvers<never>();
      const onAbort = () => reject(signal.reason);
      if (signal.aborted) onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      return Promise.race([promise, aborted]).finally(() => signal.removeEventListener('abort', onAbort));
    },
    clear: () => clearTimeout(timer),
  };
}
