import { expect, it } from 'vitest';
import { createExpiring } from '#core/ports/expiring.ts';

const at = (nowMs: number) => {
  const clock = { nowMs };
  return { clock, expiring: createExpiring<string>(() => clock.nowMs, 2) };
};

it('an expiring map returns what it holds until its time is over', () => {
  const { clock, expiring } = at(1000);
  expiring.keep('a', 'first', 1010);
  clock.nowMs = 1009;
  expect(expiring.find('a')).toBe('first');
  clock.nowMs = 1010;
  expect(expiring.find('a')).toBeUndefined();
});

it('an expiring map does not store an expired value, and drops the value that it replaces', () => {
  const { expiring } = at(1000);
  expiring.keep('a', 'first', 2000);
  expiring.keep('b', 'second', 2000);
  expiring.keep('c', 'over', 1000);
  expect(expiring.find('a')).toBe('first');
  expiring.keep('a', 'over', 1000);
  expect(expiring.find('a')).toBeUndefined();
});

it('an expiring map drops its oldest value when it has too many', () => {
  const { expiring } = at(1000);
  expiring.keep('a', 'first', 2000);
  expiring.keep('b', 'second', 2000);
  expiring.keep('a', 'again', 2000);
  expiring.keep('c', 'third', 2000);
  expect(['a', 'b', 'c'].map((key) => expiring.find(key))).toEqual(['again', undefined, 'third']);
});
