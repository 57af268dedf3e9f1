/**
 * The template that the service tests run, once for all of them. They test what deploys, with four options: streams that
 * clients leave behind end soon, MCP servers and hosts on this machine are allowed, and packages come from its registries.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { PackageSources } from '#contract/packages.ts';
import { synthesize } from '#infra/local/synthesize.ts';
import { announceBuilt } from '#test/infra/built-modules.ts';
import { ALLOW_HERE } from '#test/mcp/listening.ts';

export const IDLE_STREAM_SECONDS = 4;

export const CDK_OUT = join(import.meta.dirname, '../cdk.out');

export async function setup(): Promise<void> {
  await synthesize(CDK_OUT, {
    signal: null,
    progress: () => undefined,
    context: {
      idleStreamSeconds: String(IDLE_STREAM_SECONDS),
      'mcp.allow': JSON.stringify(ALLOW_HERE),
      'network.allow': JSON.stringify(ALLOW_HERE),
      packages: JSON.stringify(sourcesOfThisMachine()),
    },
  });
  announceBuilt(CDK_OUT);
}

/** The registries that this machine's package managers use. */
function sourcesOfThisMachine(): PackageSources {
  const npmRegistry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();
  const pipIndexUrl = process.env['PIP_INDEX_URL'];
  return { npmRegistry, ...(pipIndexUrl && { pipIndexUrl }) };
}
