/**
 * The template that the service tests run, once for all of them. They test what deploys, and only one number is another:
 * clients that leave a test leave streams behind, which go on to look until their idle time is over.
 */
import { join } from 'node:path';
import { synthesize } from '#infra/local/synthesize.ts';

export const IDLE_STREAM_SECONDS = 10;

export const CDK_OUT = join(import.meta.dirname, '../cdk.out');

export async function setup(): Promise<void> {
  await synthesize(CDK_OUT, {
    signal: null,
    progress: () => undefined,
    context: { idleStreamSeconds: String(IDLE_STREAM_SECONDS) },
  });
}
