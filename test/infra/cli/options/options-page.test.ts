import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { optionsPage } from '#infra/cli/options/options-page.ts';

test('docs/options.md is what `npm --silent run options` prints', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/options.md'), 'utf8');
  expect(page).toBe(optionsPage());
});

test('every option says what it does', () => {
  expect(optionsPage()).not.toMatch(/\| {2}\|$/m);
});
