import fc from 'fast-check';
import { expect, it } from 'vitest';
import { nextNumber, numberIn, versionId } from '#core/skills/version.ts';
import { newToken } from '#aws/stamp.ts';

const NOW = '2026-11-30T10:00:00.000Z';

it('both ids of a version lead to its number', () => {
  const number = nextNumber(0, NOW);
  expect(String(number)).toBe('1796032800000000');
  fc.assert(
    fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (any) => {
      const id = versionId(any, newToken());
      expect(id).toMatch(/^skver_01[0-9A-Za-z]{22}$/);
      expect(numberIn(id)).toBe(any);
      expect(numberIn(versionId(any, newToken()))).toBe(any);
    }),
  );
  expect(versionId(number, newToken())).not.toBe(versionId(number, newToken()));
});

it('numbers grow, also when the clock stands still or goes back', () => {
  const first = nextNumber(0, NOW);
  expect(nextNumber(first, NOW)).toBe(first + 1);
  expect(nextNumber(first, '2020-01-01T00:00:00.000Z')).toBe(first + 1);
});

it('an id of another form has no number', () => {
  for (const id of ['skver_1', 'skver_02aaaaaaaaaaaaaaaaaaaaaa', 'skver_01zzzzzzzzz']) {
    expect(numberIn(id as never)).toBeNull();
  }
});
