/** The template that the service tests run, once for all of them. They test what deploys. */
import { join } from 'node:path';
import { synthesize } from '#infra/local/synthesize.ts';

export const CDK_OUT = join(import.meta.dirname, '../cdk.out');

export async function setup(): Promise<void> {
  await synthesize(CDK_OUT, { signal: null, progress: () => undefined });
}
