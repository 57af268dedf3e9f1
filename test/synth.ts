/** Synthesizes, once for all, the template that the service tests run. They test what deploys. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(import.meta.dirname, '..');

export const CDK_OUT = join(ROOT, 'cdk.out');

export async function setup(): Promise<void> {
  await promisify(execFile)(
    process.execPath,
    [join(ROOT, 'node_modules/aws-cdk/bin/cdk'), 'synth', '-q', '-o', CDK_OUT],
    {
      cwd: ROOT,
    },
  );
}
