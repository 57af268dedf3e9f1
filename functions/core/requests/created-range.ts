/** `created_at[…]` filters as the two ends of a range. Stored instants have milliseconds; a filter may be finer. */
import type { Instant } from '#contract/ids.ts';
import type { CreatedRange } from '#contract/queries.ts';
import type { Bound, Range } from '#core/ports/records.ts';
import { instantOf } from '#core/ports/stamp.ts';

export function rangeOf(query: Partial<CreatedRange>): Range {
  const lowest = [lower(query['created_at[gte]'], true), lower(query['created_at[gt]'], false)];
  const highest = [upper(query['created_at[lte]'], true), upper(query['created_at[lt]'], false)];
  return { from: tightest(lowest, -1), to: tightest(highest, 1) };
}

export function isWithin(range: Range, at: Instant): boolean {
  if (range.from !== null && (range.from.inclusive ? at < range.from.at : at <= range.from.at)) return false;
  return range.to === null || (range.to.inclusive ? at <= range.to.at : at < range.to.at);
}

function lower(text: string | undefined, inclusive: boolean): Bound | null {
  // A range from 0.1234 s on does not hold 0.123 s.
  return text === undefined ? null : { at: instantOf(text), inclusive: inclusive && !isFiner(text) };
}

function upper(text: string | undefined, inclusive: boolean): Bound | null {
  // A range up to 0.1234 s holds 0.123 s.
  return text === undefined ? null : { at: instantOf(text), inclusive: inclusive || isFiner(text) };
}

function isFiner(text: string): boolean {
  return /\.\d{3}\d*[1-9]/.test(text);
}

/** `sign` is -1 for lower ends, of which the later one is tighter, and 1 for upper ends. */
function tightest(bounds: readonly (Bound | null)[], sign: -1 | 1): Bound | null {
  const given = bounds.filter((bound) => bound !== null);
  return (
    given.toSorted((a, b) =>
      a.at === b.at ? Number(a.inclusive) - Number(b.inclusive) : a.at < b.at ? -sign : sign,
    )[0] ?? null
  );
}
