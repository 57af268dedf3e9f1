/** Rejects with the signal's reason once it is aborted; never resolves. */
export function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** Lets one caller work at a time, in the order of arrival. A caller whose signal is aborted leaves the line. */
export function takeTurns(): <T>(signal: AbortSignal, work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return async function inTurn(signal, work) {
    const before = last;
    const own = Promise.withResolvers<void>();
    // Who leaves early must not let the next one in while the one before is still working.
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
