/**
 * Lambda carries a buffered response inside a JSON document of at most 6 MB, in which the body is one string: quotes and
 * backslashes count twice. A larger response fails after the operation is done, so pages are cut and bodies are refused
 * before.
 */
export const MAX_CARRIED_BYTES = 5_900_000;

export function carriedBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text));
}

/** As many items as fit. The first always fits, because its request had the same limit. */
export function fitting<Item>(items: readonly Item[], wire: (item: Item) => unknown): readonly Item[] {
  let bytes = 0;
  const end = items.findIndex((item, index) => {
    bytes += carriedBytes(JSON.stringify(wire(item))) + 1;
    return bytes > MAX_CARRIED_BYTES && index > 0;
  });
  return end === -1 ? items : items.slice(0, end);
}
