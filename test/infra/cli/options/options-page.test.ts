import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { optionsPage } from '#infra/cli/options/options-page.ts';

test('docs/options.md equals the output of `npm --silent run options`', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/options.md'), 'utf8');
  expect(page).toBe(optionsPage());
});

test('docs/options.md has a meaning for every option', () => {
  expect(optionsPage()).not.toMatch(/\| {2}\|$/m);
});
