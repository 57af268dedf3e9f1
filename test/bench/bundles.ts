/** The size of each function's bundle, and its load time on this machine. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { bash, calling } from '#test/journeys/scripts.ts';
import { mcp, type McpService } from '#test/mcp/mcp-service.ts';
import { CDK_OUT } from '#test/synth.ts';
import { ms, table } from './figures.ts';

const LIMIT_KB = 700;
const LOADS = 5;

export async function bundles(service: McpService): Promise<string> {
  const sizes = JSON.parse(readFileSync(join(CDK_OUT, 'bundles/sizes.json'), 'utf8')) as Record<string, number>;
  await loadAgain(service, Object.keys(sizes));
  const times = service.runtime.initTimes();
  const rows = Object.entries(sizes).map(([name, bytes]) => {
    const goal = name === 'harness' ? ` (goal: at most ${LIMIT_KB} KB)` : '';
    const beside = besideCode(name);
    return [
      name,
      `${(bytes / 1024).toFixed(0)} KB${goal}`,
      beside === 0 ? '' : `${(beside / 2 ** 20).toFixed(1)} MB`,
      times[name] === undefined ? 'not used' : ms(times[name]),
    ];
  });
  return table(['Function', 'bundle, minified', 'Cedar, read when it is needed', 'init (median)'], rows);
}

/**
 * The functions that a turn with two hands and its page use. Sweep and issue-key run apart from turns, and web-fetch is
 * not used where the provider fetches.
 */
async function loadAgain(service: McpService, functions: readonly string[]): Promise<void> {
  service.standIn.script(calling(bash('true'), mcp('sum', { a: 1, b: 2 })));
  const session = await service.mcpSession({ vaults: [await service.vaultOf('alice')] });
  for (let load = 0; load < LOADS; load += 1) {
    await service.converse(session, 'Do it all.');
    await fetch(`${service.runtime.baseUrl}/connect/client-metadata.json`);
    for (const name of functions) await service.runtime.faults.kill(name);
  }
}

/** Bytes of the function's folder that are not JavaScript. */
function besideCode(name: string): number {
  const folder = join(CDK_OUT, 'bundles', name);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file !== 'index.mjs');
  return files
    .map((file) => statSync(join(folder, file)))
    .reduce((bytes, stat) => bytes + (stat.isFile() ? stat.size : 0), 0);
}
