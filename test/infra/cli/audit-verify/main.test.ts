import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { AuditRecord } from '#contract/audit.ts';
import { recordHash } from '#core/audit/chain.ts';
import { chainOfRecords, sha256 } from '#test/functions/core/audit/records.ts';

const MAIN = join(import.meta.dirname, '../../../../infra/cli/audit-verify/main.ts');
const dir = mkdtempSync(join(tmpdir(), 'brainstem-audit-'));
afterAll(() => rmSync(dir, { recursive: true }));

const SEVEN = chainOfRecords(4, '07');
const NINE = chainOfRecords(2, '09');
const LINES = [SEVEN[0], NINE[0], SEVEN[1], SEVEN[2], NINE[1], SEVEN[3]].map((record) => JSON.stringify(record));

async function verify(args: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { ...process.env, ...env } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += String(text)));
  const [code] = await once(child, 'close');
  return { code, output };
}

function file(lines: readonly string[]): string {
  const path = join(dir, `${Math.random()}.jsonl`);
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

describe('npm run audit:verify', () => {
  it('passes an export and prints the heads to keep', async () => {
    const { code, output } = await verify([file(LINES)]);
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
    const page = (records: readonly unknown[]) => ({ data: records, next_page: null });
    const [first, second] = [LINES.slice(0, 3), LINES.slice(3)].map((lines) =>
      page(lines.map((line) => JSON.parse(line))),
    );
    const saved = [file([JSON.stringify(first)]), file([JSON.stringify(second, null, 2)])];
    const intact = { code: 0, output: expect.stringContaining('Intact: 6 records in 2 chains.') };
    expect(await verify(saved)).toMatchObject(intact);
    expect(await verify([file([JSON.stringify(first), JSON.stringify(second)])])).toMatchObject(intact);
    const backwards = await verify(saved.toReversed());
    expect(backwards).toMatchObject({ code: 1, output: expect.stringContaining('chain 07: position 1 is') });
  });

  it.each([
    ['an empty file', [''], 'nothing was verified'],
    ['an answer without records', ['{"data":[],"next_page":null}'], 'nothing was verified'],
    ['an error that was saved', ['{"type":"error"}'], 'This is no export of the audit trail'],
    ['a text', ['Dear auditor,', '', 'all is well.'], 'This is no export of the audit trail'],
  ])('ends with code 2 on %s and names no record', async (_, lines, words) => {
    const { code, output } = await verify([file(lines)]);
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

  it('finds missing last records with a saved head, also when the whole chain is gone', async () => {
    const kept = ['--expect', `07=4:${SEVEN[3]?.hash}`, '--expect', `09=2:${NINE[1]?.hash}`];
    expect((await verify([file(LINES), ...kept])).code).toBe(0);
    const shorter = await verify([file(LINES.slice(0, -1)), ...kept]);
    expect(shorter).toMatchObject({ code: 1, output: expect.stringContaining('chain 07: position 4 is cut off') });
    const gone = await verify([file(LINES.filter((line) => line.includes('"07"'))), ...kept]);
    expect(gone).toMatchObject({ code: 1, output: expect.stringContaining('chain 09: position 1 is cut off') });
  });

  it('ends with code 2 and the reason when there is nothing to verify', async () => {
    expect(await verify([])).toMatchObject({ code: 2, output: expect.stringContaining('--expect') });
    expect((await verify([join(dir, 'none.jsonl')])).code).toBe(2);
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
    const server = createServer((request, response) => {
      const url = new URL(request.url ?? '', 'http://service');
      const records = chains[url.pathname.replace('/stage/v1/x/audit/chains/', '')] ?? [];
      const from = Number(url.searchParams.get('page') ?? 0);
      response.statusCode = request.headers.authorization === 'Bearer key' ? 200 : 401;
      const next_page = from + 2 < records.length ? String(from + 2) : null;
      response.end(JSON.stringify({ data: records.slice(from, from + 2), next_page }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/stage/`;
    const intact = await verify([url], { BRAINSTEM_API_KEY: 'key' });
    expect(intact).toMatchObject({ code: 0, output: expect.stringContaining('Intact: 6 records in 2 chains.') });
    const refused = await verify([url], { BRAINSTEM_API_KEY: 'wrong' });
    expect(refused).toMatchObject({ code: 2, output: expect.stringContaining('chain 00: HTTP 401') });
    server.close();
  });
});
