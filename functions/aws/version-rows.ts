/** Versions of one thing in one partition: a row each, by number. */
import type { Row, Table } from '#aws/table.ts';

/** Of versions that are counted from 1. */
const DIGITS = 7;
/** Beyond what a response carries; a page that is cut there goes on with the next one. */
const MAX_QUERIES = 10;

/** Padded, so that versions sort as text behind their prefix. */
export function versionKey(prefix: string, version: number, digits = DIGITS): string {
  return `${prefix}${String(version).padStart(digits, '0')}`;
}

interface VersionRange {
  readonly pk: string;
  readonly prefix: string;
  /** @default 7 */
  readonly digits?: number;
  /** Null begins with the latest. */
  readonly below: number | null;
  readonly limit: number;
}

/** Newest first, and whether there are more than `limit`. */
export async function versionRows(table: Table, { pk, prefix, digits = DIGITS, below, limit }: VersionRange) {
  const first = versionKey(prefix, 1, digits);
  const last = versionKey(prefix, (below ?? Math.min(10 ** digits, Number.MAX_SAFE_INTEGER)) - 1, digits);
  const rows: Row[] = [];
  let after: Row | null = null;
  for (let queries = 0; queries < MAX_QUERIES; queries += 1) {
    const page = await table.page(
      {
        where: 'pk = :pk AND sk BETWEEN :first AND :last',
        values: { pk, first, last },
        order: 'desc',
        limit: limit + 1,
      },
      after,
    );
    rows.push(...page.rows);
    ({ after } = page);
    if (after === null || rows.length > limit) break;
  }
  return { rows: rows.slice(0, limit), more: after !== null || rows.length > limit };
}
