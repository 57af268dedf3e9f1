import type { Arrival, ModelRequest } from '#infra/local/model/script.ts';

export interface RecordedRequest {
  /** Position among all accepted requests since start, from 0. */
  readonly index: number;
  /** Milliseconds since the epoch with fractions, comparable between processes of one machine. */
  readonly arrivedAtMs: number;
  readonly request: ModelRequest;
  readonly headers: Arrival['headers'];
  /** When each content delta of a slow answer was sent, so far. */
  readonly deltasAtMs: readonly number[];
  /** Resolves when the answer is sent, or when the client has left before. */
  readonly ended: Promise<Ended>;
}

interface Ended {
  readonly atMs: number;
  readonly by: 'answer' | 'client';
}

interface RequestRecord {
  readonly kept: readonly RecordedRequest[];
  /** Returns the index of the new request. */
  add(request: Omit<RecordedRequest, 'index'>): number;
  wait(n: number): Promise<RecordedRequest>;
}

/** Bounded: each request of a long conversation holds the whole conversation. */
const KEPT = 200;

export function recordRequests(): RequestRecord {
  const kept: RecordedRequest[] = [];
  const waiting = new Map<number, PromiseWithResolvers<RecordedRequest>>();
  let count = 0;

  function add(request: Omit<RecordedRequest, 'index'>): number {
    const recorded = { index: count, ...request };
    count += 1;
    kept.push(recorded);
    if (kept.length > KEPT) kept.shift();
    waiting.get(count)?.resolve(recorded);
    waiting.delete(count);
    return recorded.index;
  }

  async function wait(n: number): Promise<RecordedRequest> {
    const arrived = kept.find(({ index }) => index === n - 1);
    if (arrived !== undefined) return arrived;
    if (n < 1 || n <= count) throw new RangeError(`request ${n} is not kept: only the last ${KEPT} are`);
    const waiter = waiting.get(n) ?? Promise.withResolvers<RecordedRequest>();
    waiting.set(n, waiter);
    return waiter.promise;
  }

  return { kept, add, wait };
}

/** Comparable between processes of one machine. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

export function endOf(response: Arrival['response']): Promise<Ended> {
  return new Promise((resolve) => {
    const end = (by: Ended['by']) => () => resolve({ atMs: nowMs(), by });
    response.once('finish', end('answer')).once('close', end('client'));
  });
}
