import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { outputsUnder } from '../../sandbox-task/output.ts';
import { startSandbox } from './running-sandbox.ts';

let workdir: string;
beforeEach(async () => {
  workdir = await mkdtemp(join(tmpdir(), 'sandbox-output-'));
});
afterEach(() => rm(workdir, { recursive: true, force: true }));

test('a file that is too long for a result is cut, and its rest can be read', async () => {
  const sandbox = await startSandbox();
  const text = Array.from({ length: 20_000 }, (_, line) => `line ${line}`).join('\n');
  await writeFile(join(sandbox.workdir, 'big.txt'), text);
  const { output, isError } = await sandbox.run('read', { file_path: 'big.txt' }, { call: 'big' });
  expect(isError).toBe(false);
  expect(output.length).toBeLessThanOrEqual(100_000);
  expect(output).toMatch(/^line 0\n/);
  expect(output).toContain('line 19999\n[Output cut');
  expect(await readFile(join(sandbox.workdir, '.brainstem/outputs/big.txt'), 'utf8')).toBe(text);
  await sandbox.close();
});

test.each(['../../etc/passwd', '.', '..', 'a/b', 'ä', '-rf'])(
  'the call id %s cannot choose the folder of the output',
  async (call) => {
    const bounded = outputsUnder(workdir).bound(call, 'x'.repeat(100_001));
    const path = /in (\S+) \(use/.exec(bounded)?.[1] ?? '';
    expect(path).toMatch(/\/\.brainstem\/outputs\/[0-9a-f]{64}\.txt$/);
    expect(await readFile(path, 'utf8')).toHaveLength(100_001);
  },
);

test('output is never cut within a character', async () => {
  const bounded = outputsUnder(workdir).bound('emoji', `x${'😀'.repeat(60_000)}`);
  expect(bounded.length).toBeLessThanOrEqual(100_000);
  expect(bounded.isWellFormed()).toBe(true);
});

test('a rest that cannot be written is reported as lost', async () => {
  await writeFile(join(workdir, '.brainstem'), '');
  const bounded = outputsUnder(workdir).bound('a', 'x'.repeat(100_001));
  expect(bounded.length).toBeLessThanOrEqual(100_000);
  expect(bounded).toMatch(/100001 bytes; the rest is lost, it could not be written \((ENOTDIR|EEXIST)\)\.\]$/);
});
