import { describe, expect, it } from 'vitest';
import { AUDIT_CHAINS, type AuditRecord, type SignedAuditHeads } from '#contract/audit.ts';
import { WorkspaceId } from '#contract/ids.ts';
import { keepHeads, signedWorkspaces, signHeads } from '#core/audit/sign-heads.ts';
import { AUDITED, chainOfRecords, intent, sha256 } from './records.ts';
import { recordAfter } from '#core/audit/chain.ts';
import { createKept, createKey, headsOf } from './signing.ts';

const SEVEN = chainOfRecords(5, '07');
const OTHERS = WorkspaceId.parse('wrkspc_others');

/** A workspace whose chains hold what the table holds at this moment. */
function stage(records: readonly AuditRecord[]) {
  const table = { records };
  const inChain = (chain: string) => table.records.filter((record) => record.chain === chain);
  const ports = {
    ends: {
      async *workspaces() {
        yield AUDITED;
      },
      last: async (_: WorkspaceId, chain: string) => inChain(chain).at(-1) ?? null,
      at: async (_: WorkspaceId, chain: string, position: number) =>
        inChain(chain).find((record) => record.position === position) ?? null,
    },
    key: createKey(),
    kept: createKept(),
    now: () => '2026-11-21T10:01:00.000Z',
  };
  const signed = async (of: readonly AuditRecord[]) => {
    table.records = of;
    const { signed: heads, cut } = await signHeads(ports, AUDITED);
    return { seven: heads.heads.find(({ chain }) => chain === '07')?.position, cut, heads };
  };
  return { ports, signed, table };
}

/** Another chain with the same beginning. */
function grownAnew(from: number, length: number): AuditRecord[] {
  const records = SEVEN.slice(0, from);
  while (records.length < length) {
    const record = { id: `aud_${records.length}`, workspace: AUDITED, chain: '07', at: SEVEN[0]?.at ?? '' };
    records.push(recordAfter(records.at(-1) ?? null, { ...record, entry: intent('2') }, sha256));
  }
  return records;
}

describe('signed heads', () => {
  it('are of every chain, and follow chains that grow', async () => {
    const { ports, signed } = stage([]);
    expect((await signed([])).heads.heads.map(({ chain, position }) => [chain, position])).toEqual(
      AUDIT_CHAINS.map((chain) => [chain, 0]),
    );
    expect(await signed(SEVEN.slice(0, 3))).toMatchObject({ seven: 3, cut: [] });
    const { heads, ...rest } = await signed(SEVEN);
    expect(rest).toEqual({ seven: 5, cut: [] });
    expect(await ports.key.isOurs(heads)).toBe(true);
    expect(ports.kept.stored.get(AUDITED)).toHaveLength(2);
  });

  it.each<[string, readonly AuditRecord[]]>([
    ['its last record', SEVEN.slice(0, 4)],
    ['all but its first record', SEVEN.slice(0, 1)],
    ['the whole chain', []],
    ['its last record, and got another one', grownAnew(4, 5)],
    ['its last records, and has grown over them', grownAnew(2, 8)],
  ])('stay as they were signed when a chain loses %s', async (_, rest) => {
    const { signed } = stage([]);
    await signed(SEVEN);
    for (let time = 0; time < 2; time += 1) expect(await signed(rest)).toMatchObject({ seven: 5, cut: ['07'] });
    // Other chains go on.
    const nine = chainOfRecords(2, '09');
    expect((await signed([...rest, ...nine])).heads.heads[9]).toMatchObject({ position: 2, hash: nine[1]?.hash });
    expect(await signed([...SEVEN, ...nine])).toMatchObject({ seven: 5, cut: [] });
  });

  it('are signed for each export, and by the schedule only when a chain has grown', async () => {
    const { ports, signed, table } = stage(SEVEN);
    await keepHeads(ports, AUDITED);
    await keepHeads(ports, AUDITED);
    expect(ports.kept.stored.get(AUDITED)).toHaveLength(1);
    expect((await signed(SEVEN)).heads).toMatchObject({ at: ports.now(), workspace: AUDITED });
    expect(ports.kept.stored.get(AUDITED)).toHaveLength(1);
    table.records = SEVEN.slice(0, 2);
    expect((await keepHeads(ports, AUDITED)).cut).toEqual(['07']);
    expect(ports.kept.stored.get(AUDITED)).toHaveLength(1);
  });

  it('never go back when two processes sign at once', async () => {
    const { ports, table } = stage(SEVEN.slice(0, 2));
    const slow = { ...ports, kept: { ...ports.kept } };
    // The chain grows and is signed by another process while this one writes.
    slow.kept.keep = async (heads, version) => {
      table.records = SEVEN;
      if (heads.heads[7]?.position === 2) await signHeads(ports, AUDITED);
      return ports.kept.keep(heads, version);
    };
    expect((await signHeads(slow, AUDITED)).signed.heads[7]?.position).toBe(5);
    expect(ports.kept.stored.get(AUDITED)?.at(-1)?.heads[7]?.position).toBe(5);
  });

  const ours = createKey();
  it.each<[string, (heads: SignedAuditHeads) => SignedAuditHeads]>([
    ['of another deployment', (heads) => createKey().signNow(heads)],
    ['of another workspace', (heads) => ours.signNow({ ...heads, workspace: OTHERS })],
    ['with a changed position', (heads) => ({ ...heads, heads: headsOf(SEVEN.slice(0, 2)).heads })],
    ['without their signature', (heads) => ({ ...heads, signature: '' })],
  ])('refuse to follow kept heads %s', async (_, change) => {
    const { ports } = stage(SEVEN);
    ports.kept.stored.set(AUDITED, [change(ours.signNow(headsOf(SEVEN)))]);
    for (const sign of [signHeads, keepHeads]) {
      await expect(sign({ ...ports, key: ours }, AUDITED)).rejects.toMatchObject({ code: 'stored_data_invalid' });
    }
  });

  it('are made for workspaces that were taken out of the table too', async () => {
    const { ports } = stage(SEVEN);
    await ports.kept.keep(ports.key.signNow(headsOf([], { workspace: OTHERS })), null);
    const workspaces: WorkspaceId[] = [];
    for await (const workspace of signedWorkspaces(ports)) workspaces.push(workspace);
    expect(workspaces).toEqual([OTHERS, AUDITED]);
  });
});
