/** What an instance remembers for a while: nothing breaks when it forgets. */

export interface Expiring<Value> {
  find(key: string): Value | undefined;
  keep(key: string, value: Value, ttlMs: number): void;
  drop(key: string): void;
}

/** The oldest entry gives way when there are too many. */
export function createExpiring<Value>(now: () => number, maxEntries: number): Expiring<Value> {
  const entries = new Map<string, { readonly value: Value; readonly until: number }>();
  return {
    find(key) {
      const entry = entries.get(key);
      return entry !== undefined && now() < entry.until ? entry.value : undefined;
    },
    keep(key, value, ttlMs) {
      entries.delete(key);
      entries.set(key, { value, until: now() + ttlMs });
      const [oldest] = entries.keys();
      if (entries.size > maxEntries && oldest !== undefined) entries.delete(oldest);
    },
    drop: (key) => void entries.delete(key),
  };
}
