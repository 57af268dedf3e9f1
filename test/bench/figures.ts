/** Samples and their presentation: always with number and spread. */

export interface Spread {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly min: number;
  readonly max: number;
}

export function spread(samples: readonly number[]): Spread {
  if (samples.length === 0) throw new RangeError('no samples');
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { count: sorted.length, p50: at(0.5), p95: at(0.95), min: at(0), max: at(1) };
}

export const ms = (value: number) => `${value < 10 ? value.toFixed(2) : value.toFixed(1)} ms`;

export function told(samples: readonly number[]): string {
  const { p50, p95, count } = spread(samples);
  return `${ms(p50)} / ${ms(p95)} (n=${count})`;
}

/** A Markdown table with aligned columns, which is readable on a terminal and in `docs/numbers.md`. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.map(line)].join('\n');
}

export const now = () => performance.timeOrigin + performance.now();

/** The column of another program's result on another machine. */
const PEER = 'open peer';

const TIME = /(\d+(?:\.\d+)?) ms(?: \/ \d+(?:\.\d+)? ms)?/;

/**
 * Adds to each time in the tables of `text` its ratio to one turn of the bare SDK loop. Absolute times differ by a
 * factor of two between machines of one kind, and this ratio differs much less. In a cell with two times, the first one
 * is compared.
 */
export function withRatios(text: string, bareTurnMs: number): string {
  return text.replaceAll(/(?:^\|.*$\n?)+/gm, (lines) => {
    const [head = [], , ...rows] = lines.trimEnd().split('\n').map(cellsOf);
    const compared = rows.map((row) =>
      row.map((cell, column) => (head[column]?.startsWith(PEER) === true ? cell : compare(cell, bareTurnMs))),
    );
    return `${table(head, compared)}${lines.endsWith('\n') ? '\n' : ''}`;
  });
}

function cellsOf(line: string): readonly string[] {
  return line
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim());
}

function compare(cell: string, bareTurnMs: number): string {
  return cell.replace(TIME, (times, first: string) => `${times} = ${ratio(Number(first) / bareTurnMs)}`);
}

const ratio = (value: number) => `${value < 10 ? value.toFixed(1) : value.toFixed(0)}×`;
