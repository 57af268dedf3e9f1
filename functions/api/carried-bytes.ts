/**
 * Lambda carries a buffered response inside a JSON document of at most 6 MB, in which the body is one string: quotes
 * and backslashes count twice. What does not fit fails after everything was done, so it is cut or refused before.
 */
export const MAX_CARRIED_BYTES = 5_900_000;

export function carriedBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text));
}

/** As many items as fit; the first always does, for it came in through the same limit. */
export function fitting<Item>(items: readonly Item[], wire: (item: Item) => unknown): readonly Item[] {
  let bytes = 0;
  const end = items.findIndex((item, index) => {
    bytes += carriedBytes(JSON.stringify(wire(item))) + 1;
    return bytes > MAX_CARRIED_BYTES && index > 0;
  });
  return end === -1 ? items : items.slice(0, end);
}
