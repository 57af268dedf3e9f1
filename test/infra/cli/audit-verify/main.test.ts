import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { AuditHeads, AuditRecord } from '#contract/audit.ts';
import { WorkspaceId } from '#contract/ids.ts';
import { recordHash } from '#core/audit/chain.ts';
import { createKey, headsOf } from '#test/functions/core/audit/signing.ts';
import { chainOfRecords, sha256 } from '#test/functions/core/audit/records.ts';
import { bundleOf } from '#test/run-cache.ts';

const MAIN = join(import.meta.dirname, '../../../../infra/cli/audit-verify/main.ts');
const PROGRAM = bundleOf(MAIN);
const dir = mkdtempSync(join(tmpdir(), 'brainstem-audit-'));
afterAll(() => rmSync(dir, { recursive: true }));

const SEVEN = chainOfRecords(4, '07');
const NINE = chainOfRecords(2, '09');
const LINES = [SEVEN[0], NINE[0], SEVEN[1], SEVEN[2], NINE[1], SEVEN[3]].map((record) => JSON.stringify(record));
const KEY = createKey();
const signed = (records: readonly AuditRecord[], change: Partial<AuditHeads> = {}) =>
  KEY.signNow(headsOf(records, change));
const HEADS = signed([...SEVEN, ...NINE]);

async function verify(args: readonly string[], env: Record<string, string> = {}, program = PROGRAM) {
  const child = spawn(process.execPath, [program, ...args], { env: { ...process.env, ...env } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += String(text)));
  const [code] = await once(child, 'close');
  return { code, output };
}

/** The heads are behind the records, so that the places of the records are the numbers of their lines. */
function file(lines: readonly string[], heads: object | null = HEADS): string {
  const path = join(dir, `${Math.random()}.jsonl`);
  writeFileSync(path, `${[...lines, ...(heads === null ? [] : [JSON.stringify(heads)])].join('\n')}\n`);
  return path;
}

const sha256Of = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const LAST = [SEVEN[3], NINE[1]].map((record) => record?.hash ?? '');

describe('npm run audit:verify', () => {
  it('passes an export and prints the heads to keep', async () => {
    const { code, output } = await verify([file(LINES)], {}, MAIN);
    expect(code).toBe(0);
    expect(output).toContain('✓ wrkspc_1 chain 07: 4 records, intact up to position 4');
    expect(output).toContain('Intact: 6 records in 2 chains.');
    expect(output).toContain(`--expect 07=4:${SEVEN[3]?.hash}`);
  });

  it.each([
    ['an altered byte', LINES.with(2, (LINES[2] ?? '').replace('alice', 'alicf')), 'position 2 is altered'],
    ['a dropped line', LINES.toSpliced(3, 1), 'position 3 is missing'],
    ['lines in another order', LINES.with(2, LINES[3] ?? '').with(3, LINES[2] ?? ''), 'position 2 is reordered'],
  ])('ends with code 1 on %s and names the record', async (_, lines, words) => {
    const { code, output } = await verify([file(lines)]);
    expect(code).toBe(1);
    expect(output).toContain(`✗ wrkspc_1 chain 07: ${words}`);
    expect(output).toContain('✓ wrkspc_1 chain 09');
    expect(output).toContain('NOT intact');
  });

  /** A last record that its writer has sealed anew, with fields that no record has. */
  const sealed = (fields: object) => {
    const record = { ...(SEVEN[3] as object), ...fields };
    return JSON.stringify({ ...record, hash: recordHash(record, sha256) });
  };
  const last = LINES.at(-1) ?? '';
  it.each([
    ['a field that no record has', sealed({ note: 'x' }), 'chain 07: position 4 is altered: .* has the field "note"'],
    [
      'such a field in its entry',
      sealed({ entry: { ...SEVEN[3]?.entry, by: 'x' } }),
      'position 4 is altered: .* has the field "by"',
    ],
    ['a __proto__', last.replace('{', '{"__proto__":{"user":"eve"},'), 'chain 07: position 4 is altered'],
    [
      'a __proto__ in its entry',
      last.replace('"entry":{', '"entry":{"__proto__":{"user":"eve"},'),
      'position 4 is altered',
    ],
    ['a field twice', last.replace('{', '{"id":"aud_other",'), 'line 6: has the field "id" twice'],
    [
      'a field twice, spelled otherwise',
      last.replace('{', '{"\\u0069d":"aud_other",'),
      'line 6: has the field "id" twice',
    ],
    [
      'a field twice in its entry',
      last.replace('"entry":{', '"entry":{"user":"eve",'),
      'line 6: has the field "user" twice',
    ],
    [
      'a __proto__ twice',
      last.replace('{', '{"__proto__":1,"__proto__":2,'),
      'line 6: has the field "__proto__" twice',
    ],
  ])('ends with code 1 on a record with %s', async (_, line, words) => {
    const { code, output } = await verify([file([...LINES.slice(0, -1), line])]);
    expect(output).toMatch(new RegExp(words));
    expect(output).toContain('NOT intact');
    expect(code).toBe(1);
  });

  it('ends with code 1 on a line that is not a record', async () => {
    const { code, output } = await verify([file([...LINES, '{"id":'])]);
    expect(code).toBe(1);
    expect(output).toContain('✗ line 7: is no audit record');
  });

  it('reads saved responses of the API, one per file or line, compact or indented', async () => {
    const page = (records: readonly unknown[]) => ({ data: records, next_page: null, heads: HEADS });
    const [first, second] = [LINES.slice(0, 3), LINES.slice(3)].map((lines) =>
      page(lines.map((line) => JSON.parse(line))),
    );
    const saved = [file([JSON.stringify(first)], null), file([JSON.stringify(second, null, 2)], null)];
    const intact = { code: 0, output: expect.stringContaining('Intact: 6 records in 2 chains.') };
    expect(await verify(saved)).toMatchObject(intact);
    expect(await verify([file([JSON.stringify(first), JSON.stringify(second)], null)])).toMatchObject(intact);
    const backwards = await verify(saved.toReversed());
    expect(backwards).toMatchObject({ code: 1, output: expect.stringContaining('chain 07: position 1 is') });
  });

  it.each([
    ['an empty file', [''], 'nothing was verified'],
    ['an answer without records', ['{"data":[],"next_page":null}'], 'nothing was verified'],
    ['signed heads of no records', [JSON.stringify(signed([]))], 'nothing was verified'],
    ['an error that was saved', ['{"type":"error"}'], 'This is no export of the audit trail'],
    ['a text', ['Dear auditor,', '', 'all is well.'], 'This is no export of the audit trail'],
  ])('ends with code 2 on %s and names no record', async (_, lines, words) => {
    const { code, output } = await verify([file(lines, null)]);
    expect([code, output]).toEqual([2, expect.stringContaining(words)]);
    expect(output).not.toMatch(/✗|NOT intact|✓/);
  });

  it('says in sentences which records are missing, and that a part of a chain is not the whole chain', async () => {
    const one = await verify([file(LINES.toSpliced(3, 1))]);
    expect(one.output).toContain(`position 3 is missing: the next record is ${SEVEN[3]?.id} at 4`);
    const several = await verify([file(LINES.slice(3))]);
    expect(several.output).toContain(
      `position 1 is missing: nothing is there up to position 2, and the next record is ${SEVEN[2]?.id} at 3`,
    );
    expect(several.output).toContain('only whole chains can be verified');
  });

  const shorter = LINES.slice(0, -1);
  const onlySeven = LINES.filter((line) => line.includes('"07"'));
  it.each([
    ['the last record', shorter, 'chain 07: position 4 is cut off: .* had 4 records when its head was signed'],
    ['a whole chain', onlySeven, 'chain 09: position 1 is cut off'],
    ['all records', [], 'chain 07: position 1 is cut off'],
  ])('tells from signed heads, without being asked, that %s is missing', async (_, lines, words) => {
    const { code, output } = await verify([file(lines)]);
    expect(output).toMatch(new RegExp(words));
    expect(code).toBe(1);
  });

  it('finds missing last records with a saved head too', async () => {
    const kept = ['--expect', `07=4:${LAST[0]}`, '--expect', `09=2:${LAST[1]}`];
    const two = [...kept, '--chain', '07', '--chain', '09'];
    expect((await verify([file(LINES, null), ...two])).code).toBe(0);
    const cut = await verify([file(shorter, null), ...two]);
    expect(cut).toMatchObject({ code: 1, output: expect.stringContaining('chain 07: position 4 is cut off') });
    const gone = await verify([file(onlySeven, null), ...two]);
    expect(gone).toMatchObject({ code: 1, output: expect.stringContaining('chain 09: position 1 is cut off') });
  });

  /** Records of the administrator’s own in the place of the last one. */
  const forged = { ...(SEVEN[3] as AuditRecord), id: 'aud_forged' };
  const rewritten = [...shorter, JSON.stringify({ ...forged, hash: recordHash(forged, sha256) })];
  const page = (records: readonly string[], more: object) =>
    JSON.stringify({ data: records.map((line) => JSON.parse(line)), next_page: null, ...more });
  const flipped = HEADS.signature.replace(/^.{20}(.)/, (text) => text.slice(0, -1) + (text.endsWith('A') ? 'B' : 'A'));
  const foreign = createKey();
  it.each<[string, readonly string[], object | null, string]>([
    ['no heads', LINES, null, 'chain 07: position 5 is unsigned'],
    ['another last record', rewritten, HEADS, 'chain 07: position 4 is not the signed head'],
    ['an altered signature', LINES, { ...HEADS, signature: flipped }, 'do not have their signature'],
    [
      'another time of the signature',
      LINES,
      { ...HEADS, at: '2026-11-22T10:01:00.000Z' },
      'do not have their signature',
    ],
    ['heads of fewer records', shorter, { ...HEADS, heads: headsOf(SEVEN.slice(0, 3)).heads }, 'their signature'],
    ['heads of fewer chains', onlySeven, { ...HEADS, heads: HEADS.heads.slice(0, 9) }, 'this service does not write'],
    ['a field of its own in heads', LINES, { ...HEADS, note: 'x' }, 'this service does not write'],
    ['a key that is none', LINES, { ...HEADS, public_key: 'AAAA' }, 'do not have their signature'],
    ['a key of another curve', LINES, createKey('P-384').signNow(headsOf(SEVEN)), 'do not have their signature'],
    ['heads of another workspace', LINES, signed([], { workspace: WorkspaceId.parse('wrkspc_2') }), 'is unsigned'],
    [
      'heads of one chain only',
      [page(onlySeven, { heads: HEADS, chain: '07' })],
      null,
      'chain 09: position 1 is unsigned',
    ],
    ['heads that two keys signed', [...LINES, JSON.stringify(HEADS)], foreign.signNow(HEADS), 'than those before'],
  ])('ends with code 1 on an export with %s', async (_, lines, heads, words) => {
    const { code, output } = await verify([file(lines, heads)]);
    expect(output).toContain(words);
    expect(code).toBe(1);
  });

  it('takes the heads of the named deployment only', async () => {
    const key = sha256Of(Buffer.from(HEADS.public_key, 'base64'));
    const own = await verify([file(LINES), '--key', key]);
    expect(own).toMatchObject({ code: 0, output: expect.stringContaining(`with the key ${key}`) });
    const other = await verify([file(LINES, foreign.signNow(HEADS)), '--key', key]);
    expect(other).toMatchObject({ code: 1, output: expect.stringContaining('are signed with another key') });
  });

  it('tells with an earlier export that a later one was cut, although its own heads are signed', async () => {
    const earlier = ['--heads', file([page(LINES, { heads: HEADS })], null)];
    const grown = [
      ...LINES,
      ...chainOfRecords(6, '07')
        .slice(4)
        .map((record) => JSON.stringify(record)),
    ];
    expect((await verify([file(grown, signed([...chainOfRecords(6, '07'), ...NINE])), ...earlier])).code).toBe(0);
    const replayed = signed([...SEVEN.slice(0, 3), ...NINE]);
    expect((await verify([file(shorter, replayed)])).code).toBe(0);
    const cut = await verify([file(shorter, replayed), ...earlier]);
    expect(cut).toMatchObject({ code: 1, output: expect.stringContaining('chain 07: position 4 is cut off') });
    const gone = await verify([file(onlySeven, signed(SEVEN)), ...earlier]);
    expect(gone).toMatchObject({ code: 1, output: expect.stringContaining('chain 09: position 1 is cut off') });
    const none = await verify([file(LINES), '--heads', file(LINES, null)]);
    expect(none).toMatchObject({ code: 2, output: expect.stringContaining('has no signed heads') });
  });

  it('verifies one chain when it is asked for one', async () => {
    const one = file([page(onlySeven, { heads: HEADS, chain: '07' })], null);
    expect((await verify([one, '--chain', '07'])).code).toBe(0);
    expect((await verify([one, '--chain', '09'])).code).toBe(1);
    expect((await verify([one, '--chain', '16'])).code).toBe(2);
  });

  it('ends with code 2 and the reason when there is nothing to verify', async () => {
    expect(await verify([])).toMatchObject({ code: 2, output: expect.stringContaining('--expect') });
    expect((await verify([join(dir, 'none.jsonl')])).code).toBe(2);
    expect(await verify([file(LINES), '--key', 'x'])).toMatchObject({ code: 2 });
    expect(await verify([file(LINES), '--expect', '07=x'])).toMatchObject({
      code: 2,
      output: expect.stringContaining('is not <chain>=<position>:<hash>'),
    });
    expect(await verify(['http://127.0.0.1:1'], { BRAINSTEM_API_KEY: '' })).toMatchObject({
      code: 2,
      output: expect.stringContaining('BRAINSTEM_API_KEY'),
    });
  });

  it('reads a service chain by chain and page by page with the API key', async () => {
    const chains: Record<string, readonly AuditRecord[]> = { '07': SEVEN, '09': NINE };
    const at = (msAgo: number) => ({ at: new Date(Date.now() - msAgo).toISOString() });
    let heads: object | undefined = signed([...SEVEN, ...NINE], at(0));
    const server = createServer((request, response) => {
      const url = new URL(request.url ?? '', 'http://service');
      const records = chains[url.pathname.replace('/stage/v1/x/audit/chains/', '')] ?? [];
      const from = Number(url.searchParams.get('page') ?? 0);
      response.statusCode = request.headers.authorization === 'Bearer key' ? 200 : 401;
      const next_page = from + 2 < records.length ? String(from + 2) : null;
      response.end(JSON.stringify({ data: records.slice(from, from + 2), next_page, heads }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/stage/`;
    const intact = await verify([url], { BRAINSTEM_API_KEY: 'key' });
    expect(intact).toMatchObject({ code: 0, output: expect.stringContaining('Intact: 6 records in 2 chains.') });
    const refused = await verify([url], { BRAINSTEM_API_KEY: 'wrong' });
    expect(refused).toMatchObject({ code: 2, output: expect.stringContaining('chain 00: HTTP 401') });
    // Heads that were signed earlier, before the last records were written and then removed, or none.
    for (const [other, words] of [
      [signed([...SEVEN, ...NINE], at(15 * 60_000)), 'the heads are old'],
      [undefined, 'has heads that this service does not write'],
    ] as const) {
      heads = other;
      const replayed = await verify([url], { BRAINSTEM_API_KEY: 'key' });
      expect(replayed).toMatchObject({ code: 1, output: expect.stringContaining(words) });
    }
    server.close();
  });
});
