import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { synthesize } from '#infra/local/synthesize.ts';
import { isFull } from '#test/property-runs.ts';

const read = (folder: string) =>
  ['Brainstem.template.json', 'Brainstem.assets.json', 'bundles/harness/index.mjs'].map((file) =>
    readFileSync(join(folder, file), 'utf8'),
  );

test('what has not changed is synthesized once, and the second start has the same template and bundles', async () => {
  const place = mkdtempSync(join(tmpdir(), 'brainstem-synthesize-'));
  const said: string[] = [];
  const [first, second] = [join(place, 'first'), join(place, 'second')];
  await synthesize(first, { signal: null, progress: () => undefined });
  await synthesize(second, { signal: null, progress: (message) => said.push(message) });
  expect(said).toEqual([]);
  expect(read(second)).toEqual(read(first));
  rmSync(place, { recursive: true });
});

test('the result is what the CLI makes, with the settings of the person and of the command line', async () => {
  const place = mkdtempSync(join(tmpdir(), 'brainstem-synthesize-'));
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(place, { recursive: true });
  });
  const [ours, cli] = [join(place, 'ours'), join(place, 'cli')];
  const saved = { brainstem: { sandbox: { memoryMb: 4096 } }, idleStreamSeconds: 30 };
  writeFileSync(join(place, '.cdk.json'), JSON.stringify({ context: saved }));
  vi.stubEnv('HOME', place);
  // The CDK's own rules take seconds and change nothing.
  vi.stubEnv('CDK_VALIDATION', 'false');
  await synthesize(ours, { signal: null, progress: () => undefined, context: { idleStreamSeconds: '20' } });
  const template = read(ours)[0] ?? '';
  expect(template).toContain('"Memory": "4096"');
  expect(template).toContain('"IDLE_STREAM_SECONDS": "20"');
  // The CLI takes as long again.
  if (!isFull) return;
  const args = ['synth', '--quiet', '--no-notices', '--output', cli, '-c', 'idleStreamSeconds=20'];
  const PATH = `${dirname(process.execPath)}:${process.env['PATH']}`;
  execFileSync('node_modules/.bin/cdk', args, { env: { ...process.env, PATH } });
  expect(read(ours)).toEqual(read(cli));
});
