import { describe, expect, it } from 'vitest';
import { isWithin, rangeOf } from '#core/requests/created-range.ts';

const AT = '2026-11-21T10:00:00.123Z';
const BEFORE = '2026-11-21T10:00:00.122Z';
const AFTER = '2026-11-21T10:00:00.124Z';
const within = (query: Parameters<typeof rangeOf>[0]) =>
  [BEFORE, AT, AFTER].filter((instant) => isWithin(rangeOf(query), instant));

describe('a created_at range', () => {
  it.each([
    [{}, [BEFORE, AT, AFTER]],
    [{ 'created_at[gt]': AT }, [AFTER]],
    [{ 'created_at[gte]': AT }, [AT, AFTER]],
    [{ 'created_at[lt]': AT }, [BEFORE]],
    [{ 'created_at[lte]': AT }, [BEFORE, AT]],
    [{ 'created_at[gte]': AT, 'created_at[lte]': AT }, [AT]],
    [{ 'created_at[gte]': '2026-11-21T11:00:00.123+01:00' }, [AT, AFTER]],
    [{ 'created_at[gte]': '2026-11-21T10:00:00.1230001Z' }, [AFTER]],
    [{ 'created_at[gte]': '2026-11-21T10:00:00.1230000Z' }, [AT, AFTER]],
    [{ 'created_at[lt]': '2026-11-21T10:00:00.1230001Z' }, [BEFORE, AT]],
    [{ 'created_at[gte]': BEFORE, 'created_at[gt]': AT }, [AFTER]],
    [{ 'created_at[gte]': AT, 'created_at[gt]': AT }, [AFTER]],
    [{ 'created_at[lte]': AT, 'created_at[lt]': AFTER }, [BEFORE, AT]],
  ])('of %j includes %j', (query, expected) => {
    expect(within(query)).toEqual(expected);
  });
});
