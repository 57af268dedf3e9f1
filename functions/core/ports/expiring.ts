/** What an instance remembers for a while: nothing breaks when it forgets. */

export interface Expiring<Value> {
  find(key: string): Value | undefined;
  /** `untilMs`: epoch milliseconds. What is over by then is not kept. */
  keep(key: string, value: Value, untilMs: number): void;
  drop(key: string): void;
}

/** What was kept longest ago gives way when there are too many. */
export function createExpiring<Value>(nowMs: () => number, maxEntries: number): Expiring<Value> {
  const entries = new Map<string, { readonly value: Value; readonly untilMs: number }>();
  return {
    find(key) {
      const entry = entries.get(key);
      if (entry === undefined || nowMs() < entry.untilMs) return entry?.value;
      entries.delete(key);
      return undefined;
    },
    keep(key, value, untilMs) {
      entries.delete(key);
      if (nowMs() < untilMs) entries.set(key, { value, untilMs });
      const [oldest] = entries.keys();
      if (entries.size > maxEntries && oldest !== undefined) entries.delete(oldest);
    },
    drop: (key) => void entries.delete(key),
  };
}
