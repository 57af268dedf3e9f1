import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Synthesizes the stack into a folder, with the CLI that deploys it.
 * @throws with the CLI's own words when it fails
 */
export async function synthesize(outDir: string, signal: AbortSignal | null): Promise<void> {
  const cli = join(dirname(createRequire(import.meta.url).resolve('aws-cdk/package.json')), 'bin', 'cdk');
  const child = spawn(process.execPath, [cli, 'synth', '--quiet', '--no-notices', '--output', outDir], {
    cwd: ROOT,
    env: synthesisEnvironment(),
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(signal === null ? {} : { signal }),
  });
  const said: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => said.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
  const code = await new Promise<number | null>((exited, failed) => child.once('close', exited).once('error', failed));
  signal?.throwIfAborted();
  if (code !== 0) throw new Error(`cdk synth failed:\n${Buffer.concat(said).toString().trim()}`);
}

function synthesisEnvironment(): NodeJS.ProcessEnv {
  const { ANTHROPIC_API_KEY: _ofNoConcern, ...environment } = process.env;
  return {
    ...environment,
    // The app is run as `node …`: it must find the Node.js that runs this.
    PATH: [dirname(process.execPath), environment['PATH'] ?? ''].join(delimiter),
    // Synthesis needs no network, so the CLI shall not wait for one.
    CDK_DISABLE_CLI_TELEMETRY: 'true',
    CDK_DISABLE_VERSION_CHECK: 'true',
  };
}
