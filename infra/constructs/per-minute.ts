/** A rate as a setting. */
export function perMinute(rate: number | undefined): string {
  return rate === undefined ? 'unlimited' : String(rate);
}
