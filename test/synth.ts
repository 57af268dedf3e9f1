/**
 * The template that the service tests run, once for all of them. They test what deploys, with two options: streams that
 * clients leave behind end soon, and MCP servers on this machine are allowed.
 */
import { join } from 'node:path';
import { synthesize } from '#infra/local/synthesize.ts';
import { announceBuilt } from '#test/infra/built-modules.ts';
import { ALLOW_HERE } from '#test/mcp/listening.ts';

export const IDLE_STREAM_SECONDS = 10;

export const CDK_OUT = join(import.meta.dirname, '../cdk.out');

export async function setup(): Promise<void> {
  await synthesize(CDK_OUT, {
    signal: null,
    progress: () => undefined,
    context: { idleStreamSeconds: String(IDLE_STREAM_SECONDS), 'mcp.allow': JSON.stringify(ALLOW_HERE) },
  });
  announceBuilt(CDK_OUT);
}
