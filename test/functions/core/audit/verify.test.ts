import { describe, expect, it } from 'vitest';
import { recordAfter, recordHash } from '#core/audit/chain.ts';
import { checkNext, endCheck, startCheck, type Checkpoint } from '#core/audit/verify.ts';
import { chainOfRecords, intent, sha256 } from './records.ts';

const RECORDS = chainOfRecords(5);

function verified(records: readonly object[], checkpoint: Checkpoint | null = null) {
  const links = structuredClone(records) as typeof RECORDS;
  const { flaw, head } = endCheck(
    links.reduce((check, link) => checkNext(check, link, sha256), startCheck('wrkspc_1 07', checkpoint)),
  );
  return { flaw: flaw === null ? null : [flaw.position, flaw.rule], head };
}

function changed(position: number, change: object): object[] {
  return RECORDS.map((record) => (record.position === position ? { ...record, ...change } : record));
}

const at = (position: number): Checkpoint => {
  const hash = RECORDS[position - 1]?.hash ?? '';
  return { position, hash };
};

describe('the verification of an audit chain', () => {
  it('passes an unchanged chain and returns its head', () => {
    expect(verified(RECORDS)).toEqual({ flaw: null, head: at(5) });
    expect(verified([])).toEqual({ flaw: null, head: null });
  });

  it.each([
    ['a changed entry', changed(3, { entry: intent('2') }), [3, 'altered']],
    ['a changed time', changed(1, { at: '2026-11-20T10:00:00.000Z' }), [1, 'altered']],
    ['a field that was added', changed(4, { note: 'x' }), [4, 'altered']],
    ['a changed hash', changed(5, { hash: sha256('x') }), [5, 'altered']],
    ['a record that is not there', RECORDS.filter(({ position }) => position !== 3), [3, 'missing']],
    ['two records that are not there', RECORDS.filter(({ position }) => position > 2), [1, 'missing']],
    ['records in another order', [0, 2, 1, 3, 4].map((index) => RECORDS[index] ?? {}), [2, 'reordered']],
    ['a record twice', [0, 1, 1, 2].map((index) => RECORDS[index] ?? {}), [2, 'repeated']],
  ])('names the first record of a chain with %s', (_, records, flaw) => {
    expect(verified(records).flaw).toEqual(flaw);
  });

  it('finds a record that was changed together with its hash, and names the record after it', () => {
    const forged = { ...RECORDS[2], entry: intent('2') };
    const rehashed = { ...forged, hash: recordHash(forged, sha256) };
    expect(verified(changed(3, rehashed)).flaw).toEqual([3, 'replaced']);
  });

  it('names the first of several broken records', () => {
    const records = changed(2, { at: '2026-11-20T10:00:00.000Z' }).filter((_, index) => index !== 3);
    expect(verified(records).flaw).toEqual([2, 'altered']);
  });

  it('sees that records at the end are missing only when it is given the expected head', () => {
    const shortened = RECORDS.slice(0, 3);
    expect(verified(shortened).flaw).toBeNull();
    expect(verified(shortened, at(5)).flaw).toEqual([4, 'cut off']);
    expect(verified(shortened, at(3)).flaw).toBeNull();
    expect(verified([], at(1)).flaw).toEqual([1, 'cut off']);
  });

  it('refuses a chain that was written anew and does not contain the checkpoint', () => {
    const rewritten = [RECORDS[0], RECORDS[1]].flatMap((record) => (record === undefined ? [] : [record]));
    for (let position = 3; position <= 5; position += 1) {
      const { id, workspace, chain, at } = RECORDS[position - 1] ?? RECORDS[0] ?? expect.fail();
      rewritten.push(recordAfter(rewritten.at(-1) ?? null, { id, workspace, chain, at, entry: intent('2') }, sha256));
    }
    expect(verified(rewritten).flaw).toBeNull();
    expect(verified(rewritten, at(4)).flaw).toEqual([4, 'not the checkpoint']);
  });

  it('goes on from the head of an export that was verified earlier', () => {
    expect(verified(RECORDS.slice(3), at(3))).toEqual({ flaw: null, head: at(5) });
    expect(verified(RECORDS.slice(3), { position: 3, hash: sha256('x') }).flaw).toEqual([3, 'replaced']);
    expect(verified(RECORDS.slice(3), at(2)).flaw).toEqual([1, 'missing']);
  });
});
