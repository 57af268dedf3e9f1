/** What one run of the tests makes once, in a folder that ends with the run. */
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { REQUIRE } from '#infra/constructs/modules.ts';

/** An environment variable, because the processes that run the files inherit it. */
const FOLDER = 'BRAINSTEM_RUN_CACHE';

/** Makes the folder, and has the programs that tests start keep there what Node.js compiles of them. */
export function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'brainstem-run-'));
  process.env[FOLDER] = folder;
  process.env['NODE_COMPILE_CACHE'] = join(folder, 'compiled');
  // The CDK's own rules only warn, and take a second for each template. `npm run check` synthesizes with them.
  process.env['CDK_VALIDATION'] = 'false';
  return () => rmSync(folder, { recursive: true, force: true });
}

/**
 * The cloud assembly that `synthesize` writes for these options: it takes seconds, and many files want the same. Tests
 * only read it.
 */
export function assemblyOf(options: unknown, synthesize: (outdir: string) => void): string {
  return madeOnce(options, synthesize);
}

/** One file with a program of this repository, which starts faster than its sources. */
export function bundleOf(entry: string): string {
  const folder = madeOnce({ entry }, (outdir) => {
    buildSync({
      entryPoints: { program: entry },
      outdir,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node24',
      mainFields: ['module', 'main'],
      banner: { js: REQUIRE },
    });
  });
  return join(folder, 'program.mjs');
}

/** A new folder that ends with the run. */
export const runFolder = (): string => mkdtempSync(join(rootFolder(), 'data-'));

function rootFolder(): string {
  const root = process.env[FOLDER];
  if (root === undefined) throw new Error(`${FOLDER} is not set: vitest.config.ts names this file as global set-up`);
  return root;
}

/** The folder that `make` fills, by the first process of the run that asks for the key. */
export function madeOnce(key: unknown, make: (outdir: string) => void): string {
  const root = rootFolder();
  const folder = join(root, createHash('sha256').update(JSON.stringify(key)).digest('hex'));
  if (existsSync(folder)) return folder;
  const own = mkdtempSync(join(root, 'unfinished-'));
  make(own);
  try {
    renameSync(own, folder);
  } catch (error) {
    // Another process made the same one meanwhile.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}
