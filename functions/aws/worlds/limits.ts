/** How many requests an API key may make, for the functions that answer API requests. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createRateLimiter, type RateLimiter } from '#core/requests/admission.ts';
import { createTokenBuckets } from '#aws/records/token-buckets.dynamodb.ts';
import { rateSetting, setting, type Env } from '#aws/settings.ts';

export function limiterOf(
  env: Env,
  { dynamodb, maxLease }: { readonly dynamodb: DynamoDBClient; readonly maxLease: number },
): RateLimiter {
  return createRateLimiter({
    limits: {
      creates: rateSetting(env, 'CREATES_PER_MINUTE'),
      reads: rateSetting(env, 'READS_PER_MINUTE'),
    },
    buckets: createTokenBuckets(dynamodb, setting(env, 'RECORDS_TABLE')),
    nowMs: Date.now,
    maxLease,
  });
}
