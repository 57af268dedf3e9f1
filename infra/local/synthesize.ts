import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openSynthesisCache, synthesisKey } from './synthesis-cache.ts';

const MAX_SAID_BYTES = 16 * 1024 * 1024;
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const SYNTHESIS_CACHE = join(ROOT, 'node_modules/.cache/brainstem-synthesis');

interface SynthesisOptions {
  readonly signal: AbortSignal | null;
  readonly progress: (message: string) => void;
  /** Options of the stack, as `-c` gives them. @default those of `cdk.json` */
  readonly context?: Context;
}

type Context = Readonly<Record<string, string>>;

/**
 * Writes the synthesized stack into a folder. It is synthesized, with the CLI that deploys it, when it was not before
 * or when something has changed that it depends on.
 * @throws with what the CLI printed when it fails
 */
export async function synthesize(outDir: string, { signal, progress, context = {} }: SynthesisOptions): Promise<void> {
  const cache = openSynthesisCache(SYNTHESIS_CACHE);
  const key = currentKey(context);
  if (cache.take(key, outDir)) return;
  progress('Synthesizing the stack');
  await runCdk(outDir, signal, context);
  // A source that was saved in the meantime may be in the result or not.
  if (currentKey(context) !== key) return;
  try {
    cache.keep(key, outDir);
  } catch {
    // Without a folder that can be written, each start synthesizes.
  }
}

function currentKey(context: Context): string {
  const userSettings = join(homedir(), '.cdk.json');
  return synthesisKey({
    root: ROOT,
    userSettings,
    environment: { ...settingsOfSynthesis(), ...context },
    node: process.version,
  });
}

async function runCdk(outDir: string, signal: AbortSignal | null, context: Context): Promise<void> {
  const cli = join(dirname(createRequire(import.meta.url).resolve('aws-cdk/package.json')), 'bin', 'cdk');
  const args = [cli, 'synth', '--quiet', '--no-notices', '--output', outDir];
  const options = Object.entries(context).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const env = { ...settingsOfSynthesis(), ...placesOfSynthesis() };
  const how = { cwd: ROOT, env, maxBuffer: MAX_SAID_BYTES };
  try {
    await promisify(execFile)(process.execPath, [...args, ...options], { ...how, ...(signal && { signal }) });
  } catch (cause) {
    signal?.throwIfAborted();
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string };
    throw new Error(`cdk synth failed:\n${`${stdout}${stderr}`.trim()}`, { cause });
  }
}

/**
 * The variables that can change the result, which are part of the key. No other variable of this process reaches the
 * synthesis: the template names no account and no Region, so it needs no credentials.
 */
function settingsOfSynthesis(): Readonly<Record<string, string | undefined>> {
  const given = Object.entries(process.env).filter(([name]) => name.startsWith('CDK_') || name === 'NODE_OPTIONS');
  return {
    ...Object.fromEntries(given),
    // Synthesis needs no network, so the CLI must not wait for one.
    CDK_DISABLE_CLI_TELEMETRY: 'true',
    CDK_DISABLE_VERSION_CHECK: 'true',
    // The CDK's own rules only warn, and warnings are not shown here. The rules of this package still refuse.
    CDK_VALIDATION: 'false',
  };
}

/** The variables that say where things are. They do not change the result. */
function placesOfSynthesis(): NodeJS.ProcessEnv {
  const { PATH = '', HOME, TMPDIR, NODE_COMPILE_CACHE } = process.env;
  // The app is run as `node …`: it must find the Node.js that runs this.
  return { PATH: [dirname(process.execPath), PATH].join(delimiter), HOME, TMPDIR, NODE_COMPILE_CACHE };
}
