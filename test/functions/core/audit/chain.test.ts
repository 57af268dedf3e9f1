import { describe, expect, it } from 'vitest';
import { AUDIT_CHAINS, AuditRecord } from '#contract/audit.ts';
import { chainOf, recordAfter, recordHash } from '#core/audit/chain.ts';
import { canonicalJson } from '#core/ports/canonical-json.ts';
import { AUDITED, chainOfRecords, intent, sha256 } from './records.ts';

describe('canonical JSON', () => {
  it('is the same text for equal values, in whatever order their keys were written', () => {
    expect(canonicalJson({ b: [1, { d: null, c: 'x' }], a: true })).toBe('{"a":true,"b":[1,{"c":"x","d":null}]}');
    expect(canonicalJson({ a: undefined, b: [undefined] })).toBe('{"b":[null]}');
    expect(canonicalJson('"')).toBe(String.raw`"\""`);
  });

  it('represents the same value as JSON.stringify', () => {
    const value = { text: 'ä\u2028\ud800', number: 1e21, nested: { '': [], ключ: {} } };
    expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
  });
});

describe('an audit chain', () => {
  it('begins at 1, and each record holds the hash of the record before it', () => {
    const [one, two, three] = chainOfRecords(3);
    expect(one).toMatchObject({ position: 1, previous: null });
    expect(two).toMatchObject({ position: 2, previous: one?.hash });
    expect(three).toMatchObject({ position: 3, previous: two?.hash });
    expect(AuditRecord.parse(three)).toEqual(three);
  });

  it('has a hash over every field of a record', () => {
    const [record] = chainOfRecords(1);
    if (record === undefined) throw new Error('no record');
    const changes = [
      { at: '2026-11-21T11:00:00.000Z' },
      { id: 'aud_x' },
      { position: 2 },
      { previous: sha256('') },
      { entry: intent('2') },
      { added: 1 },
    ];
    for (const change of changes) {
      expect(recordHash({ ...record, ...change }, sha256)).not.toBe(record.hash);
    }
  });

  it('has times that never go back, although the clocks of its writers differ', () => {
    const base = { id: 'aud_1', workspace: AUDITED, chain: '00', entry: intent() };
    const first = recordAfter(null, { ...base, at: '2026-11-21T10:00:05.000Z' }, sha256);
    const second = recordAfter(first, { ...base, at: '2026-11-21T10:00:04.000Z' }, sha256);
    expect(second.at).toBe(first.at);
  });

  it('is the same for all records of one session, and every chain is used', () => {
    expect(chainOf('sesn_1', sha256)).toBe(chainOf('sesn_1', sha256));
    const used = new Set(Array.from({ length: 500 }, (_, index) => chainOf(`sesn_${index}`, sha256)));
    expect([...used].toSorted()).toEqual(AUDIT_CHAINS);
  });
});
