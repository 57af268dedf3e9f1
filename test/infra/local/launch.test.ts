import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { launch } from '../../../infra/local/launch.ts';
import { writeRuntimeTemplate } from './runtime.fixture.ts';

test('a launch that is stopped starts no runtime and frees the data folder', async () => {
  const cdkOut = writeRuntimeTemplate();
  const data = mkdtempSync(join(tmpdir(), 'brainstem-launch-'));
  const stopping = new AbortController();
  const progress = (): void => stopping.abort();
  const options = { port: 0, data, cdkOut, sandbox: 'process', environment: {}, progress, report: progress } as const;
  await expect(launch({ ...options, signal: stopping.signal })).rejects.toMatchObject({ name: 'AbortError' });
  expect(existsSync(join(data, 'runtime.pid'))).toBe(false);
  for (const folder of [cdkOut, data]) rmSync(folder, { recursive: true });
});
