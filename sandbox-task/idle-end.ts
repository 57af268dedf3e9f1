/**
 * When a sandbox ends that nothing uses. What its programs wrote after the last call must not be lost: while something
 * waits to be kept, the end waits for the caller to keep it, and a call goes on as if the sandbox had not been idle.
 */
export interface IdleEnd {
  /** A call, or a transfer of contents, began or ended. */
  used(): void;
  /** The caller has kept changes. */
  kept(): void;
  /** The idle time is over, and the sandbox ends when what waits is kept. */
  isDue(): boolean;
  cancel(): void;
}

interface IdleEndOptions {
  readonly idleMs: number;
  /** The end waits no longer than this for its caller. */
  readonly patienceMs: number;
  readonly isBusy: () => boolean;
  /** How many changes and notes wait to be kept. */
  readonly waiting: () => Promise<number>;
  readonly end: () => void;
}

export function idleEnd({ idleMs, patienceMs, isBusy, waiting, end }: IdleEndOptions): IdleEnd {
  const idle = setTimeout(() => void onIdle(), idleMs);
  let patience: NodeJS.Timeout | null = null;

  function used(): void {
    if (patience !== null) clearTimeout(patience);
    patience = null;
    idle.refresh();
  }

  async function onIdle(): Promise<void> {
    if (isBusy()) return void idle.refresh();
    patience = setTimeout(end, patienceMs);
    await endWhenKept();
  }

  async function endWhenKept(): Promise<void> {
    // A folder that cannot be looked at is given up with the sandbox.
    const left = await waiting().catch(() => 0);
    // A call may have come meanwhile.
    if (left === 0 && patience !== null) end();
  }

  return {
    used,
    kept: () => void (patience !== null && endWhenKept()),
    isDue: () => patience !== null,
    cancel() {
      clearTimeout(idle);
      if (patience !== null) clearTimeout(patience);
    },
  };
}
