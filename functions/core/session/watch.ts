/** An interrupt ends a model request and open calls in the log only: a process that works on one watches the log. */
import type { SessionState } from '#contract/entries.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { LogKey } from '#core/ports/session-log.ts';

/** Time between two looks. Work that goes on in vain for so long costs a little money and nothing else. */
const WATCH_MS = 1000;

interface Standing<Result> {
  /** Whether the log still waits for the work. */
  readonly stands: (state: SessionState) => boolean;
  readonly work: Promise<Result>;
  /** Ends the work. */
  readonly cutOff: () => void;
}

/** The result of the work, which is cut off when the log does not wait for it any more. */
export async function whileItStands<Result>(
  ports: Pick<Ports, 'log' | 'pause'>,
  key: LogKey,
  { stands, work, cutOff }: Standing<Result>,
): Promise<Result> {
  const over = new AbortController();
  void watch(ports, key, { stands, cutOff, over: over.signal });
  try {
    return await work;
  } finally {
    over.abort();
  }
}

async function watch(
  { log, pause }: Pick<Ports, 'log' | 'pause'>,
  key: LogKey,
  { stands, cutOff, over }: Omit<Standing<never>, 'work'> & { readonly over: AbortSignal },
): Promise<void> {
  for (await pause(WATCH_MS); !over.aborted; await pause(WATCH_MS)) {
    // A look that fails is skipped: the append of the result decides in any case.
    const head = await log.head(key).catch(() => null);
    if (head !== null && !stands(head.state)) return cutOff();
  }
}
