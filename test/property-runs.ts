/** What of its long form a test runs: a part in a plain `npm test`, all with `FULL=1`, as in CI. */

/** An environment variable with the number that chooses the cases; the processes that run the files inherit it. */
const SAMPLE = 'SAMPLE';

export const isFull = process.env['FULL'] === '1';

/** The number of cases of a property test: an eighth, or all. */
export const propertyRuns = (all: number): number => (isFull ? all : Math.ceil(all / 8));

/** Chooses the number, and tells it when the run is over. */
export function setup(): (() => void) | undefined {
  if (isFull) return undefined;
  process.env[SAMPLE] ??= String(Math.floor(Date.now() / 1000) % 1000);
  const said = `Some tests ran a part of their cases: SAMPLE=${process.env[SAMPLE]}; FULL=1 runs all.\n`;
  return () => void process.stderr.write(said);
}

/**
 * Some of the cases, or all. The cases that are chosen are spread over the list, and another run chooses others; its last
 * line says how to choose the same ones again.
 */
export function sample<Case>(count: number, cases: readonly Case[]): readonly Case[] {
  if (isFull) return cases;
  const first = Number(process.env[SAMPLE]);
  return cases.filter((_, index) => (((index + first) % cases.length) * count) % cases.length < count);
}

/** For cases that a test counts: whether a rare one is among them must not be left to chance. */
export const ALWAYS_THE_SAME = { seed: 1 } as const;
