/** What each function weighs, and how long it took to load here. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Service } from '#test/journeys/service.ts';
import { CDK_OUT } from '#test/synth.ts';
import { ms, table } from './figures.ts';

const LIMIT_KB = 700;

export function bundles(service: Service): string {
  const sizes = JSON.parse(readFileSync(join(CDK_OUT, 'bundles/sizes.json'), 'utf8')) as Record<string, number>;
  const times = service.runtime.initTimes();
  const rows = Object.entries(sizes).map(([name, bytes]) => {
    const goal = name === 'harness' ? ` (goal: at most ${LIMIT_KB} KB)` : '';
    return [name, `${(bytes / 1024).toFixed(0)} KB${goal}`, times[name] === undefined ? 'not used' : ms(times[name])];
  });
  return table(['Function', 'bundle, minified', 'init'], rows);
}
