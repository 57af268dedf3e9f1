import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const MAX_SAID_BYTES = 16 * 1024 * 1024;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Synthesizes the stack into a folder, with the CLI that deploys it.
 * @throws with what the CLI printed when it fails
 */
export async function synthesize(outDir: string, signal: AbortSignal | null): Promise<void> {
  const cli = join(dirname(createRequire(import.meta.url).resolve('aws-cdk/package.json')), 'bin', 'cdk');
  const args = [cli, 'synth', '--quiet', '--no-notices', '--output', outDir];
  const options = { cwd: ROOT, env: synthesisEnvironment(), maxBuffer: MAX_SAID_BYTES };
  try {
    await promisify(execFile)(process.execPath, args, { ...options, ...(signal && { signal }) });
  } catch (cause) {
    signal?.throwIfAborted();
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string };
    throw new Error(`cdk synth failed:\n${`${stdout}${stderr}`.trim()}`, { cause });
  }
}

function synthesisEnvironment(): NodeJS.ProcessEnv {
  const { ANTHROPIC_API_KEY: _notNeeded, ...environment } = process.env;
  return {
    ...environment,
    // The app is run as `node …`: it must find the Node.js that runs this.
    PATH: [dirname(process.execPath), environment['PATH'] ?? ''].join(delimiter),
    // Synthesis needs no network, so the CLI must not wait for one.
    CDK_DISABLE_CLI_TELEMETRY: 'true',
    CDK_DISABLE_VERSION_CHECK: 'true',
  };
}
