/** The number of cases of a property test: a quarter in a plain `npm test`, all with `FULL=1`, as in CI. */
export const propertyRuns = (all: number): number => (process.env['FULL'] === '1' ? all : Math.ceil(all / 4));

/** For cases that a test counts: whether a rare one is among them must not be left to chance. */
export const ALWAYS_THE_SAME = { seed: 1 } as const;
