import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import type { ExecuteRequest, ExecuteResponse } from '../functions/contract/hands.ts';
import type { FinishedCall, FinishedCalls } from './finished-calls.ts';
import type { RepositoryNews } from './repositories.ts';
import type { Tools } from './tools.ts';

type Answer = { readonly status: 'answered'; readonly response: ExecuteResponse } | { readonly status: 'mismatch' };

/**
 * Calls by their id. A request that repeats an id waits for the running call, or gets the stored result. The tool runs
 * once, also when the first caller has disconnected, and also when the result cannot be stored.
 */
export interface Calls {
  /** Null when these calls have ended; after some seconds without that, those of them that have not arrived. */
  untilEnded(calls: readonly string[]): Promise<readonly string[] | null>;
  answer(request: ExecuteRequest): Promise<Answer>;
  isKnown(call: string): boolean;
  running(): number;
  /** Whether a call of the same thread runs. */
  isBusy(thread: ExecuteRequest['thread']): boolean;
  /** Resolves when no call runs. */
  settled(): Promise<void>;
  /**
   * Stops a call that has not ended. When it runs, it fails with this reason. When it has not begun, it never runs, and
   * neither does a call that comes after it. False when no such call runs.
   */
  stop(call: string, reason: string): boolean;
  /** Stops every running call; each fails with this reason. */
  stopAll(reason: string): void;
}

interface KnownCall {
  readonly fingerprint: string;
  /** Null when the call is among the finished ones. */
  running: Promise<FinishedCall> | null;
}

interface Limit {
  readonly limit: AbortController;
  readonly thread: string;
}

/** Empty for a call that names no thread. */
const threadId = (thread: ExecuteRequest['thread']): string => thread?.id ?? '';

/** Well below the time after which the caller takes a silent sandbox for dead. */
const WAIT_MS = 5000;

/** A response has room for no more. */
const MOST_NOTES = 100;

interface CallsOptions {
  readonly waitMs?: number | undefined;
  /** For the model, about what happened while a call ran. */
  readonly takeNotes?: () => readonly string[];
  /** What happened to repositories before a call begins. */
  readonly takeNews?: () => RepositoryNews;
}

export function idempotentCalls(
  tools: Pick<Tools, 'run'>,
  finished: FinishedCalls,
  { waitMs = WAIT_MS, takeNotes = () => [], takeNews = () => ({ notes: [], failures: [] }) }: CallsOptions = {},
): Calls {
  const known = new Map<string, KnownCall>();
  const limits = new Map<string, Limit>();
  const stopped = new Map<string, string>();
  const ends = new EventEmitter().setMaxListeners(0);
  const isOpen = (call: string) => known.get(call)?.running !== null;

  async function untilEnded(calls: readonly string[]): Promise<readonly string[] | null> {
    const signal = AbortSignal.timeout(waitMs);
    while (calls.some(isOpen)) {
      await once(ends, 'end', { signal }).catch(() => undefined);
      if (signal.aborted) return calls.filter((call) => !known.has(call));
    }
    return null;
  }

  async function run({ call, name, input, timeoutMs, thread, after = [] }: ExecuteRequest): Promise<FinishedCall> {
    const reason = [call, ...after].map((id) => stopped.get(id)).find((why) => why !== undefined);
    if (reason !== undefined) return { output: reason, isError: true, durationMs: 0 };
    const limit = new AbortController();
    limits.set(call, { limit, thread: threadId(thread) });
    const timer = setTimeout(
      () => limit.abort(new Error(`the call was stopped after its limit of ${timeoutMs} ms`)),
      timeoutMs,
    );
    const startedAt = performance.now();
    try {
      const { text, isError } = await tools.run(
        name,
        { call, thread: threadId(thread), input, timeoutMs },
        limit.signal,
      );
      return { output: text, isError, durationMs: Math.round(performance.now() - startedAt) };
    } finally {
      clearTimeout(timer);
      limits.delete(call);
    }
  }

  function start(request: ExecuteRequest, fingerprint: string): Promise<FinishedCall> {
    const news = takeNews();
    const running = run(request).then((result) => {
      const notes = [...(request.notes ?? []), ...takeNotes(), ...news.notes].slice(0, MOST_NOTES);
      const ended = {
        ...result,
        ...(notes.length > 0 && { notes }),
        ...(news.failures.length > 0 && { failedClones: [...news.failures] }),
      };
      finished.keep(request.call, ended);
      entry.running = null;
      ends.emit('end');
      return ended;
    });
    const entry: KnownCall = { fingerprint, running };
    known.set(request.call, entry);
    return running;
  }

  async function answer(request: ExecuteRequest): Promise<Answer> {
    const fingerprint = fingerprintOf(request);
    const earlier = known.get(request.call);
    if (earlier === undefined) return answered('ran', await start(request, fingerprint));
    if (earlier.fingerprint !== fingerprint) return { status: 'mismatch' };
    if (earlier.running !== null) return answered('joined', await earlier.running);
    return answered('replayed', finished.recall(request.call));
  }

  return {
    untilEnded,
    answer,
    isKnown: (call) => known.has(call),
    running: () => limits.size,
    isBusy: (thread) => [...limits.values()].some((running) => running.thread === threadId(thread)),
    settled: async () => void (await Promise.allSettled([...known.values()].map((entry) => entry.running))),
    stop(call, reason) {
      if (isOpen(call)) stopped.set(call, reason);
      const running = limits.get(call);
      running?.limit.abort(new Error(reason));
      return running !== undefined;
    },
    stopAll: (reason) => limits.forEach(({ limit }) => limit.abort(new Error(reason))),
  };
}

function answered(served: ExecuteResponse['served'], call: FinishedCall): Answer {
  return { status: 'answered', response: { ...call, served } };
}

/** Equal for two requests with the same tool and input, whatever their time limits and the order of their keys. */
function fingerprintOf({ name, input }: ExecuteRequest): string {
  return createHash('sha256')
    .update(canonical([name, input]))
    .digest('hex');
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  });
}
