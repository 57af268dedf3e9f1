interface IdleWatch {
  /** Starts the waiting anew. */
  touch(): void;
  close(): void;
}

interface IdleOptions {
  readonly idleMs: number;
  readonly isBusy: () => boolean;
  readonly onIdle: () => void;
}

/** Calls `onIdle` after `idleMs` without a touch; while busy it waits for as long again. */
export function watchIdle({ idleMs, isBusy, onIdle }: IdleOptions): IdleWatch {
  const timer = setTimeout(() => {
    if (isBusy()) timer.refresh();
    else onIdle();
  }, idleMs);
  return { touch: () => void timer.refresh(), close: () => clearTimeout(timer) };
}
