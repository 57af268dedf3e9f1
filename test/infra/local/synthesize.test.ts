import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { synthesize } from '#infra/local/synthesize.ts';

test('what has not changed is synthesized once, and the second start has the same template and bundles', async () => {
  const place = mkdtempSync(join(tmpdir(), 'brainstem-synthesize-'));
  const said: string[] = [];
  const [first, second] = [join(place, 'first'), join(place, 'second')];
  await synthesize(first, { signal: null, progress: () => undefined });
  await synthesize(second, { signal: null, progress: (message) => said.push(message) });
  const read = (folder: string) =>
    ['Brainstem.template.json', 'Brainstem.assets.json', 'bundles/harness/index.mjs'].map((file) =>
      readFileSync(join(folder, file), 'utf8'),
    );
  expect(said).toEqual([]);
  expect(read(second)).toEqual(read(first));
  rmSync(place, { recursive: true });
});
