/** Values that an instance remembers for a while. Losing them costs time only. */

export interface Expiring<Value> {
  find(key: string): Value | undefined;
  /** `untilMs`: epoch milliseconds. A value of which the time is over is not kept. */
  keep(key: string, value: Value, untilMs: number): void;
  drop(key: string): void;
}

/** With more than `maxEntries` values, the one that was kept longest ago is dropped. */
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
