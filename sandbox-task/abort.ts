/** Rejects with the signal's reason when it is aborted, and never resolves. */
export function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

interface Turns {
  /** Resolves when it is the caller's turn. */
  begin(): Promise<void>;
  /** The caller is still at work. */
  goOn(): void;
  end(): void;
}

/** Turns of callers that are not functions of this process: the turn of one that is silent for so long is over. */
export function turnsOfCallers(silenceMs: number): Turns {
  let last = Promise.resolve();
  let present: { readonly timer: NodeJS.Timeout; readonly over: () => void } | null = null;
  return {
    async begin() {
      const before = last;
      const own = Promise.withResolvers<void>();
      last = own.promise;
      await before;
      present = { timer: setTimeout(own.resolve, silenceMs).unref(), over: own.resolve };
    },
    goOn: () => void present?.timer.refresh(),
    end() {
      clearTimeout(present?.timer);
      present?.over();
      present = null;
    },
  };
}

/** Lets one caller work at a time, in the order of arrival. A caller with an aborted signal stops waiting. */
export function takeTurns(): <T>(signal: AbortSignal, work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return async function inTurn(signal, work) {
    const before = last;
    const own = Promise.withResolvers<void>();
    // A caller that stops waiting must not let the next one begin before the one before it has ended.
    last = before.then(() => own.promise);
    try {
      await Promise.race([before, rejectOnAbort(signal)]);
      signal.throwIfAborted();
      return await work();
    } finally {
      own.resolve();
    }
  };
}
