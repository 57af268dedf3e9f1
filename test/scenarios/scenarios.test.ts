/** Checks that each acceptance scenario, 1 to 46, has a test. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const TESTS = join(import.meta.dirname, '..');
const ALL = Array.from({ length: 46 }, (_, index) => index + 1);

/** The beginning of the title of a test, of a suite or of a table of tests. */
const TITLE = /\b(?:it|test|describe)(?:\.each\([^;]*?\))?\(\s*'scenario (\d+): /g;

function numbersIn(file: string): readonly number[] {
  return [...readFileSync(join(TESTS, file), 'utf8').matchAll(TITLE)].map(([, number]) => Number(number));
}

describe('the acceptance scenarios', () => {
  const files = readdirSync(TESTS, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.test.ts'));
  const tested = new Set(files.flatMap(numbersIn));

  it('each have a test that begins with their number', () => {
    expect(ALL.filter((number) => !tested.has(number))).toEqual([]);
  });

  it('are in files of their number only', () => {
    const own = files.flatMap((file) => {
      const number = Number(/^scenarios\/(\d+)-/.exec(file)?.[1] ?? Number.NaN);
      return Number.isNaN(number) ? [] : [{ number, numbers: new Set(numbersIn(file)) }];
    });
    expect(own.length).toBeGreaterThan(40);
    for (const { number, numbers } of own) expect([...numbers]).toEqual([number]);
  });
});
