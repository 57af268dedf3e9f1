/** A sandbox that was used within this time is taken to be alive without asking ECS: its own idle time is no shorter. */
import type { Instant } from '#contract/ids.ts';

const FRESH_MS = 60_000;

export function isAlive({ lastUsedAt }: { readonly lastUsedAt: Instant }, now: Instant): boolean {
  return Date.parse(now) - Date.parse(lastUsedAt) < FRESH_MS;
}
