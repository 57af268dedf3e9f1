/** Above a token per 60 microseconds nobody could tell the limit from none. */
const MAX_PER_MINUTE = 1_000_000;

/** A rate as a setting. Throws for one that is no limit that anybody could keep, named by `property`. */
export function perMinute(property: string, rate: number | undefined): string {
  if (rate === undefined) return 'unlimited';
  if (Number.isInteger(rate) && rate >= 1 && rate <= MAX_PER_MINUTE) return String(rate);
  throw new Error(`${property} must be an integer from 1 to ${MAX_PER_MINUTE}`);
}
