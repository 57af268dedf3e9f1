import { createHash } from 'node:crypto';
import type { ExecuteRequest, ExecuteResponse } from '../functions/contract/hands.ts';
import type { FinishedCalls, Outcome } from './finished-calls.ts';
import type { Tools } from './tools.ts';

type Answer = { readonly status: 'answered'; readonly response: ExecuteResponse } | { readonly status: 'mismatch' };

/**
 * Calls by their id. A repeat of an id joins the running call or replays its outcome; the tool runs once, also when
 * the first caller is gone, and also when the outcome cannot be kept.
 */
export interface Calls {
  answer(request: ExecuteRequest): Promise<Answer>;
  isKnown(call: string): boolean;
  running(): number;
  /** Resolves once no call runs. */
  settled(): Promise<void>;
  /** Stops one running call, which ends as a failed one for this reason; false when it is not running. */
  stop(call: string, reason: string): boolean;
  /** Stops what is running; each of those calls ends as a failed one, for this reason. */
  stopAll(reason: string): void;
}

interface KnownCall {
  readonly fingerprint: string;
  /** Null once the outcome is among the finished calls. */
  running: Promise<Outcome> | null;
}

export function idempotentCalls(tools: Pick<Tools, 'run'>, finished: FinishedCalls): Calls {
  const known = new Map<string, KnownCall>();
  const limits = new Map<string, AbortController>();

  async function run({ call, name, input, timeoutMs }: ExecuteRequest): Promise<Outcome> {
    const limit = new AbortController();
    limits.set(call, limit);
    const timer = setTimeout(
      () => limit.abort(new Error(`the call was stopped after its limit of ${timeoutMs} ms`)),
      timeoutMs,
    );
    const startedAt = performance.now();
    try {
      const { text, isError } = await tools.run(name, { call, input, timeoutMs }, limit.signal);
      return { output: text, isError, durationMs: Math.round(performance.now() - startedAt) };
    } finally {
      clearTimeout(timer);
      limits.delete(call);
    }
  }

  function start(request: ExecuteRequest, fingerprint: string): Promise<Outcome> {
    const running = run(request).then((outcome) => {
      finished.keep(request.call, outcome);
      entry.running = null;
      return outcome;
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
    answer,
    isKnown: (call) => known.has(call),
    running: () => limits.size,
    settled: async () => void (await Promise.allSettled([...known.values()].map((entry) => entry.running))),
    stop(call, reason) {
      const limit = limits.get(call);
      limit?.abort(new Error(reason));
      return limit !== undefined;
    },
    stopAll: (reason) => limits.forEach((limit) => limit.abort(new Error(reason))),
  };
}

function answered(served: ExecuteResponse['served'], outcome: Outcome): Answer {
  return { status: 'answered', response: { ...outcome, served } };
}

/** Two requests are the same call when tool and input are; the limit may differ, and so may the order of keys. */
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
