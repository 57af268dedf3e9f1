/** How many connections there may be, so that one caller cannot take those of the others. */
export interface ConnectionLimits {
  readonly ofOne: number;
  /** A caller with few connections may still open some when there are this many. */
  readonly ofAll: number;
  readonly few: number;
}

export const CONNECTION_LIMITS: ConnectionLimits = { ofOne: 256, ofAll: 4_000, few: 8 };

export interface OpenConnections {
  /** Whether one more may be opened from this address; it counts until `closed`. */
  opened(address: string): boolean;
  closed(address: string): void;
  count(): number;
}

export function openConnections(limits: ConnectionLimits = CONNECTION_LIMITS): OpenConnections {
  const open = new Map<string, number>();
  let all = 0;
  return {
    opened(address) {
      const own = open.get(address) ?? 0;
      if (own >= limits.ofOne || (all >= limits.ofAll && own >= limits.few)) return false;
      open.set(address, own + 1);
      all += 1;
      return true;
    },
    closed(address) {
      const own = (open.get(address) ?? 1) - 1;
      if (own > 0) open.set(address, own);
      else open.delete(address);
      all -= 1;
    },
    count: () => all,
  };
}
