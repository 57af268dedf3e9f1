/** An interrupt ends a model request and the open calls in the log, and nobody tells who works on them: they look. */
import type { SessionState } from '#contract/entries.ts';
import type { Ports } from '#core/ports/ports.ts';
import type { LogKey } from '#core/ports/session-log.ts';

/** Between two looks: what goes on unwanted for so long costs a little money and nothing else. */
const WATCH_MS = 1000;

interface Standing<Result> {
  /** Whether the log still wants it. */
  readonly stands: (state: SessionState) => boolean;
  readonly work: Promise<Result>;
  /** Ends the work, whose result nobody will read. */
  readonly cutOff: () => void;
}

/** What the work comes to; it is cut off when the log says that it is not wanted any more. */
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
    // A look that fails tells nothing: the append of the result decides in any case.
    const head = await log.head(key).catch(() => null);
    if (head !== null && !stands(head.state)) return cutOff();
  }
}
