import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openSynthesisCache, synthesisKey } from './synthesis-cache.ts';

const APP = 'infra/main.ts';
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
 * Writes the synthesized stack into a folder. It is synthesized, by the app that the CLI runs before it deploys, when it was
 * not before or when something has changed that it depends on.
 * @throws with what the app printed when it fails
 */
export async function synthesize(outDir: string, { signal, progress, context = {} }: SynthesisOptions): Promise<void> {
  const cache = openSynthesisCache(SYNTHESIS_CACHE);
  const key = currentKey(context);
  if (cache.take(key, outDir)) return;
  progress('Synthesizing the stack');
  await runApp(outDir, signal, context);
  // A source that was saved in the meantime may be in the result or not.
  if (currentKey(context) !== key) return;
  try {
    cache.keep(key, outDir);
  } catch {
    // Without a folder that can be written, each start synthesizes.
  }
}

function currentKey(context: Context): string {
  return synthesisKey({
    root: ROOT,
    userSettings: userSettings(),
    environment: { ...settingsOfSynthesis(), ...context },
    node: process.version,
  });
}

/** As the CLI runs it, without the CLI: loading that takes as long as loading the CDK. */
async function runApp(outDir: string, signal: AbortSignal | null, given: Context): Promise<void> {
  const context = JSON.stringify({ ...savedContext(), ...given });
  const env = { ...settingsOfSynthesis(), ...placesOfSynthesis(), CDK_OUTDIR: outDir, CDK_CONTEXT_JSON: context };
  const how = { cwd: ROOT, env, maxBuffer: MAX_SAID_BYTES };
  try {
    await promisify(execFile)(process.execPath, [APP], { ...how, ...(signal && { signal }) });
  } catch (cause) {
    signal?.throwIfAborted();
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string };
    throw new Error(`The stack could not be synthesized:\n${`${stdout}${stderr}`.trim()}`, { cause });
  }
}

/** The context that the CLI gives an app beside that of the command line. What comes later replaces what comes before. */
function savedContext(): Readonly<Record<string, unknown>> {
  const settings = [userSettings(), join(ROOT, 'cdk.json')].map((file) => fieldsIn(file)['context']);
  return Object.assign({}, settings[0], fieldsIn(join(ROOT, 'cdk.context.json')), settings[1]) as Record<
    string,
    unknown
  >;
}

const userSettings = () => join(homedir(), '.cdk.json');

function fieldsIn(file: string): Readonly<Record<string, unknown>> {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>) : {};
}

/**
 * The variables that can change the result, which are part of the key. No other variable of this process reaches the
 * synthesis: the template names no account and no Region, so it needs no credentials.
 */
function settingsOfSynthesis(): Readonly<Record<string, string | undefined>> {
  const given = Object.entries(process.env).filter(([name]) => name.startsWith('CDK_') || name === 'NODE_OPTIONS');
  return {
    ...Object.fromEntries(given),
    // The CDK's own rules only warn, and warnings are not shown here. The rules of this package still refuse.
    CDK_VALIDATION: 'false',
  };
}

/** The variables that say where things are. They do not change the result. */
function placesOfSynthesis(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR, NODE_COMPILE_CACHE } = process.env;
  // Collecting garbage would take a quarter of esbuild's processor time, and its one pass fits into memory.
  return { PATH, HOME, TMPDIR, NODE_COMPILE_CACHE, GOGC: 'off' };
}
