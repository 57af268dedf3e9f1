/**
 * AWS's prices in dollars: us-east-1, list prices, on demand, without a free tier, as of 2026-11-21. Some come from
 * pages that quote AWS. Check AWS's own pages before you rely on a figure.
 */

/** The usage of one piece of work, in the units that AWS bills. */
export interface Used {
  readonly writeUnits: number;
  readonly readUnits: number;
  readonly transitions: number;
  readonly invocations: number;
  readonly gbSeconds: number;
  readonly requests: number;
  readonly s3Writes: number;
  readonly s3Reads: number;
  readonly secretCalls: number;
  readonly kmsCalls: number;
}

const MILLION = 1_000_000;

export const PRICES: Used = {
  // On-demand tables since November 2024: airbyte.com/data-engineering-resources/dynamodb-pricing (2025-07-21).
  writeUnits: 0.625 / MILLION,
  readUnits: 0.125 / MILLION,
  // Standard workflows: aws.amazon.com/step-functions/pricing (2026-11).
  transitions: 25 / MILLION,
  // Lambda on arm64: two collections of AWS's price list (2026-05).
  invocations: 0.2 / MILLION,
  gbSeconds: 0.0000133334,
  // REST API, the first 333 million a month; a streamed answer counts as one per 10 MB: amnic.com, AWS's compute blog (2025-11).
  requests: 3.5 / MILLION,
  // S3 Standard, PUT and GET: c3x.dev/blog/s3-request-fees-explained (2026-11).
  s3Writes: 5 / MILLION,
  s3Reads: 0.4 / MILLION,
  // Secrets Manager, whatever the call: dev.to/boringcontributor/storing-sensitive-information-in-dynamodb-with-kms-510k.
  secretCalls: 0.05 / 10_000,
  // KMS, symmetric keys: as commonly quoted, not collected from a page.
  kmsCalls: 0.03 / 10_000,
};

/** A Fargate task on arm64 with 0.5 vCPU and 1 GB, per hour (2026-11). */
export const SANDBOX_HOUR = 0.01975;

/** Storage for a month: a secret (source as above), a KMS key and a GB of a table (both as commonly quoted). */
export const MONTH = { secret: 0.4, key: 1, tableGb: 0.25 };

export const NOTHING: Used = {
  writeUnits: 0,
  readUnits: 0,
  transitions: 0,
  invocations: 0,
  gbSeconds: 0,
  requests: 0,
  s3Writes: 0,
  s3Reads: 0,
  secretCalls: 0,
  kmsCalls: 0,
};

export const UNITS = Object.keys(PRICES) as readonly (keyof Used)[];

/** Combines the usage of two pieces of work, unit by unit. */
export function combine(one: Used, other: Used, how: (a: number, b: number) => number): Used {
  return Object.fromEntries(UNITS.map((unit) => [unit, how(one[unit], other[unit])])) as unknown as Used;
}

export function dollars(used: Used): number {
  return UNITS.reduce((total, unit) => total + used[unit] * PRICES[unit], 0);
}
