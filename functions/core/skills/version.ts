/**
 * The two ids of a skill's version. Clients of the API's older form know a version by a number that grows, the microseconds
 * since 1970; those of the present form know it by an opaque id, which holds that number, so that each leads to the row.
 */
import type { Instant } from '#contract/ids.ts';
import { SkillVersionId } from '#contract/ids.ts';
import type { SkillVersionRef } from '#contract/skills.ts';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** Enough for the sixteen digits of a number. */
const NUMBER_CHARS = 9;
const PREFIX = 'skver_01';

/** Greater than that of the version before, however the clock goes. */
export function nextNumber(last: number, now: Instant): number {
  return Math.max(Date.parse(now) * 1000, last + 1);
}

/** `token` makes it another id than those of other skills' versions of the same instant. */
export function versionId(number: number, token: string): SkillVersionId {
  let left = number;
  const digits = Array.from({ length: NUMBER_CHARS }, () => {
    const digit = ALPHABET.charAt(left % ALPHABET.length);
    left = Math.floor(left / ALPHABET.length);
    return digit;
  });
  return SkillVersionId.parse(`${PREFIX}${digits.join('')}${token.slice(-13)}`);
}

/** The number that a reference holds; null when no version can have this id. */
export function numberIn(ref: SkillVersionRef): number | null {
  if (!ref.startsWith('skver_')) return Number(ref);
  if (!ref.startsWith(PREFIX) || ref.length < PREFIX.length + NUMBER_CHARS) return null;
  const digits = [...ref.slice(PREFIX.length, PREFIX.length + NUMBER_CHARS)];
  const number = digits.reduceRight((sum, digit) => sum * ALPHABET.length + ALPHABET.indexOf(digit), 0);
  return Number.isSafeInteger(number) ? number : null;
}
