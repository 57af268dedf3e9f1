/** How many cases a property is tried on: a quarter of them in a plain `npm test`, all with `FULL=1`, as in CI. */
export const propertyRuns = (all: number): number => (process.env['FULL'] === '1' ? all : Math.ceil(all / 4));
