import { describe, expect, it } from 'vitest';
import { argumentTypes } from '#core/policy/argument-types.ts';
import { normalizeArguments } from '#core/policy/arguments.ts';

const decimal = (arg: string) => ({ __extn: { fn: 'decimal', arg } });
const opaque = (id: string) => ({ __entity: { type: 'MA::Opaque', id } });

function normal(input: Record<string, unknown>, schema: Record<string, unknown> = {}) {
  const result = normalizeArguments(input, argumentTypes(schema));
  return result.status === 'normal' ? result.args : result.why;
}

describe('arguments of a call without a schema', () => {
  it.each([
    ['text, truth and safe integers as they are', { a: 'x', b: true, c: 42 }, { a: 'x', b: true, c: 42 }],
    ['null as absent', { a: null, b: { c: null }, d: [null, 1] }, { b: {}, d: [1] }],
    ['up to four decimals as a decimal', { a: 1.5, b: -0.1234 }, { a: decimal('1.5'), b: decimal('-0.1234') }],
    ['a negative zero as zero', { a: -0 }, { a: 0 }],
    [
      'other numbers as opaque',
      { a: 0.12345, b: 1e300, c: 2 ** 60 },
      { a: opaque('number'), b: opaque('number'), c: opaque('number') },
    ],
    ['text that is none as opaque', { a: '\udc00' }, { a: opaque('text') }],
    [
      'names that Cedar would read as more',
      { __entity: { type: 'MA::User', id: 'root' }, a: { __extn: 1 } },
      { 'raw:__entity': { type: 'MA::User', id: 'root' }, a: { 'raw:__extn': 1 } },
    ],
    ['names that look like those', { 'raw:__x': 1, __x: 2 }, { 'raw:raw:__x': 1, 'raw:__x': 2 }],
  ])('are given to policies as %s', (_, input, args) => {
    expect(normal(input)).toEqual(args);
  });

  it('keep a key with the name __proto__', () => {
    const args = normal(JSON.parse('{"a":{"__proto__":{"admin":true}}}'));
    expect(args).toEqual({ a: { 'raw:__proto__': { admin: true } } });
  });

  it('are judged up to eight levels deep and 256 KB', () => {
    const nested = (depth: number): unknown => (depth === 0 ? 1 : { a: nested(depth - 1) });
    expect(normal({ a: nested(7) })).toBeTypeOf('object');
    expect(normal({ a: nested(8) })).toBe('the arguments are nested more than 8 deep');
    expect(normal({ a: 'x'.repeat(256 * 1024) })).toBe('the arguments have more than 262144 bytes');
  });

  it('are not judged when the name of one is not well-formed text', () => {
    expect(normal({ 'a\ud800': 1 })).toBe('the name of an argument is no text');
  });
});

describe('arguments of a call with a schema', () => {
  const schema = {
    type: 'object',
    properties: {
      amount: { type: 'number' },
      count: { type: 'integer' },
      tags: { type: 'array', items: { type: 'string' } },
      maybe: { anyOf: [{ type: 'integer' }, { type: 'null' }] },
      where: { $ref: '#/$defs/Place' },
      color: { enum: ['red', 'blue'] },
      either: { type: ['string', 'integer'] },
    },
    required: ['amount', 'maybe'],
    $defs: { Place: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
  };

  it('are decimals wherever the schema says number, so that one policy fits all numbers', () => {
    expect(normal({ amount: 100 }, schema)).toEqual({ amount: decimal('100.0') });
    expect(normal({ amount: -0, count: 7 }, schema)).toEqual({ amount: decimal('0.0'), count: 7 });
  });

  it.each([
    [
      'a number as text',
      { amount: '1' },
      'the argument amount is not of the type number, which the tool’s schema gives it',
    ],
    ['a fraction for an integer', { amount: 1, count: 1.5 }, 'the argument count is not of the type integer'],
    ['an item of a list', { amount: 1, tags: ['a', 1] }, 'the argument tags.[] is not of the type string'],
    ['a missing one', {}, 'the argument amount is missing'],
    ['a missing one further down', { amount: 1, where: {} }, 'the argument where.city is missing'],
    ['a list for an object', { amount: 1, where: [] }, 'the argument where is not of the type object'],
    ['another value’s type', { amount: 1, color: 1 }, 'the argument color is not of the type string'],
    [
      'what may be null and is something else',
      { amount: 1, maybe: 'x' },
      'the argument maybe is not of the type integer',
    ],
  ])('are not judged with %s', (_, input, why) => {
    expect(normal(input, schema)).toContain(why);
  });

  it('may be missing where the schema allows null, and are untyped where the schema leaves the type open', () => {
    expect(normal({ amount: 1, maybe: null, either: 'x', more: [1] }, schema)).toEqual({
      amount: decimal('1.0'),
      either: 'x',
      more: [1],
    });
  });

  it('resolve no reference that leads out of the schema or in a circle', () => {
    const circle = {
      properties: { a: { $ref: '#/$defs/A' }, b: { $ref: 'https://evil.example/x' }, c: { $ref: '#/$defs/__proto__' } },
      $defs: { A: { type: 'object', properties: { a: { $ref: '#/$defs/A' } } } },
    };
    expect(normal({ a: { a: { a: { a: 1 } } }, b: 1, c: 2 }, circle)).toContain('not of the type object');
    expect(normal({ a: {}, b: 1, c: 2 }, circle)).toEqual({ a: {}, b: 1, c: 2 });
  });
});
