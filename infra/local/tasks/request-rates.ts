/** ECS's limits of requests for an account, as its documentation states them: tokens at once, and tokens a second. */
import { AwsFault } from '../aws/wire.ts';

const BUCKETS = {
  modify: { burst: 100, perSecond: 40 },
  read: { burst: 100, perSecond: 20 },
  /** Fargate's own limit of starts. */
  launch: { burst: 100, perSecond: 20 },
} as const;
type Bucket = keyof typeof BUCKETS;

const BUCKETS_OF = {
  RunTask: ['modify', 'launch'],
  StopTask: ['modify'],
  DescribeTasks: ['read'],
  ListTasks: ['read'],
} as const satisfies Record<string, readonly Bucket[]>;
export type RatedOperation = keyof typeof BUCKETS_OF;

/** @throws ThrottlingException, and takes no token then */
type TakeTokens = (operation: RatedOperation) => void;

export function createRequestRates(nowMs: () => number = Date.now): TakeTokens {
  const buckets = new Map<Bucket, { tokens: number; atMs: number }>();

  function tokensIn(name: Bucket, now: number): number {
    const { burst, perSecond } = BUCKETS[name];
    const { tokens, atMs } = buckets.get(name) ?? { tokens: burst, atMs: now };
    return Math.min(burst, tokens + ((now - atMs) / 1000) * perSecond);
  }

  return (operation) => {
    const now = nowMs();
    const held = BUCKETS_OF[operation].map((name) => ({ name, tokens: tokensIn(name, now) }));
    if (held.some(({ tokens }) => tokens < 1)) throw new AwsFault('ThrottlingException', 'Rate exceeded');
    for (const { name, tokens } of held) buckets.set(name, { tokens: tokens - 1, atMs: now });
  };
}
