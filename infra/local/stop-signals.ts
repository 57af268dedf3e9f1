/** Tells a program when it is to stop: by a signal, or because npm, which started it, has ended. */

/** Ctrl-C in a terminal reaches the program twice: from the terminal, and from npm, which passes signals on. */
const SAME_SIGNAL_MS = 500;

const PARENT_LOOK_MS = 500;

/**
 * Aborts at the first SIGINT or SIGTERM. A later one ends the process as it stands, which the data folder bears. A killed
 * npm passes no signal on, so its end counts as one; a program that was started without npm may outlive its parent.
 */
export function stopSignal(): AbortSignal {
  const stopping = new AbortController();
  let stoppedAt = 0;
  const stop = (): void => {
    if (stopping.signal.aborted && performance.now() - stoppedAt > SAME_SIGNAL_MS) process.exit(1);
    if (stopping.signal.aborted) return;
    stoppedAt = performance.now();
    stopping.abort();
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, stop);
  if (process.env['npm_lifecycle_event'] !== undefined) watchParent(stopping);
  return stopping.signal;
}

function watchParent(stopping: AbortController): void {
  const parent = process.ppid;
  const look = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(look);
    stopping.abort();
  }, PARENT_LOOK_MS);
  look.unref();
}
