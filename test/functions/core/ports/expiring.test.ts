import { expect, it } from 'vitest';
import { createExpiring } from '#core/ports/expiring.ts';

const at = (nowMs: number) => {
  const clock = { nowMs };
  return { clock, expiring: createExpiring<string>(() => clock.nowMs, 2) };
};

it('finds what it keeps until its time is over', () => {
  const { clock, expiring } = at(1000);
  expiring.keep('a', 'first', 1010);
  clock.nowMs = 1009;
  expect(expiring.find('a')).toBe('first');
  clock.nowMs = 1010;
  expect(expiring.find('a')).toBeUndefined();
});

it('keeps nothing whose time is over already, nor what it stands for', () => {
  const { expiring } = at(1000);
  expiring.keep('a', 'first', 2000);
  expiring.keep('b', 'second', 2000);
  expiring.keep('c', 'over', 1000);
  expect(expiring.find('a')).toBe('first');
  expiring.keep('a', 'over', 1000);
  expect(expiring.find('a')).toBeUndefined();
});

it('forgets the one that was kept longest ago when there are too many', () => {
  const { expiring } = at(1000);
  expiring.keep('a', 'first', 2000);
  expiring.keep('b', 'second', 2000);
  expiring.keep('a', 'again', 2000);
  expiring.keep('c', 'third', 2000);
  expect(['a', 'b', 'c'].map((key) => expiring.find(key))).toEqual(['again', undefined, 'third']);
});
