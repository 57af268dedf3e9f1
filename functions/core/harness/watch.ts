/** An interrupt ends a model request in the log, and nobody tells the harness that makes it: it has to look. */
import type { EventId } from '#contract/ids.ts';
import type { LogKey, Pause, SessionLog } from '#core/ports.ts';

/** Between two looks: what an interrupted model still says costs money and nothing else, so this need not be soon. */
const WATCH_MS = 1000;

interface Watching {
  readonly log: Pick<SessionLog, 'head'>;
  readonly pause: Pause;
}

interface Standing<Heard> {
  readonly request: EventId;
  readonly hearing: Promise<Heard>;
  readonly cutOff: AbortController;
}

/** What is heard; the request is cut off when the log says that it has ended, for nobody will read its answer. */
export async function whileItStands<Heard>(
  world: Watching,
  key: LogKey,
  { request, hearing, cutOff }: Standing<Heard>,
): Promise<Heard> {
  const over = new AbortController();
  void watch(world, key, request, { cutOff, over: over.signal });
  try {
    return await hearing;
  } finally {
    over.abort();
  }
}

async function watch(
  { log, pause }: Watching,
  key: LogKey,
  request: EventId,
  { cutOff, over }: { readonly cutOff: AbortController; readonly over: AbortSignal },
): Promise<void> {
  for (await pause(WATCH_MS); !over.aborted; await pause(WATCH_MS)) {
    // A look that fails tells nothing: the answer's append decides in any case.
    const head = await log.head(key).catch(() => null);
    if (head !== null && head.state.request?.id !== request) return cutOff.abort();
  }
}
