/** How many requests an API key may make, for the functions that answer API requests. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createRateLimiter, type RateLimiter } from '#core/requests/rate-limiter.ts';
import { createTokenBuckets } from '#aws/records/token-buckets.dynamodb.ts';
import { rateSetting, setting, type Environment } from '#aws/settings.ts';

export function limiterOf(
  environment: Environment,
  { dynamodb, maxLease }: { readonly dynamodb: DynamoDBClient; readonly maxLease: number },
): RateLimiter {
  return createRateLimiter({
    limits: {
      creates: rateSetting(environment, 'CREATES_PER_MINUTE'),
      reads: rateSetting(environment, 'READS_PER_MINUTE'),
    },
    buckets: createTokenBuckets(dynamodb, setting(environment, 'RECORDS_TABLE')),
    nowMs: Date.now,
    maxLease,
  });
}
