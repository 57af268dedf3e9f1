/** The rows of the cost table: the usage of a piece of work, and its price. */
import { spread } from './figures.ts';
import { combine, dollars, NOTHING, type Used } from './prices.ts';

export interface Row {
  readonly what: string;
  readonly samples: readonly Used[];
  /** A description of the samples, when their number does not suffice. */
  readonly of?: string;
}

export const UNITS_HEAD = [
  'Used by',
  'write units',
  'read units',
  'transitions',
  'Lambda invocations',
  'GB-s',
  'API requests',
  'S3 calls',
];

export function sampled({ samples, of }: Row): string {
  return of ?? `n=${samples.length}`;
}

export function units(row: Row): readonly string[] {
  const { samples } = row;
  const range = (pick: (used: Used) => number) => told(samples.map(pick));
  return [
    `${row.what} (${sampled(row)})`,
    range((used) => used.writeUnits),
    range((used) => used.readUnits),
    range((used) => used.transitions),
    range((used) => used.invocations),
    mean(samples).gbSeconds.toFixed(3),
    range((used) => used.requests),
    range((used) => used.s3Writes + used.s3Reads),
  ];
}

/** The price of this many pieces of work. */
export function price({ samples }: Row, count: number): string {
  return `$${(dollars(mean(samples)) * count).toFixed(3)}`;
}

/** The mean, with the range when the samples differ. */
export function told(samples: readonly number[]): string {
  const { min, max } = spread(samples);
  const average = samples.reduce((total, sample) => total + sample, 0) / samples.length;
  const short = (value: number) => String(Math.round(value * 10) / 10);
  return min === max ? short(average) : `${short(average)} (${short(min)}–${short(max)})`;
}

export function mean(samples: readonly Used[]): Used {
  const total = samples.reduce((sum, used) => combine(sum, used, (a, b) => a + b), NOTHING);
  return combine(total, NOTHING, (value) => value / samples.length);
}
