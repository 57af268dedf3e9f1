/** Tells a program when to stop: at a signal, or when npm, which started the program, has ended. */

/** A Ctrl-C reaches the program twice: from the terminal, and from npm, which passes signals on. */
const SAME_SIGNAL_MS = 500;

const PARENT_LOOK_MS = 500;

/**
 * Aborts at the first SIGINT or SIGTERM. A later one ends the process at once; the data folder survives that. A killed npm
 * passes no signal on, so its end aborts too. A program that was started without npm may outlive its parent.
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
  const npm = process.env['NPM_PID'];
  if (npm !== undefined) watchParent(Number(npm), stopping);
  return stopping.signal;
}

/** `package.json` names npm's process, because an npm that is killed early is no longer the parent when this looks. */
function watchParent(parent: number, stopping: AbortController): void {
  const look = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(look);
    stopping.abort();
  }, PARENT_LOOK_MS);
  look.unref();
}
