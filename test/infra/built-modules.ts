/** The modules that deploy: esbuild makes them once for a run, because each pass takes seconds of processor time. */
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { modules, provide, type Module } from '#infra/constructs/modules.ts';
import type { ModelProvider } from '#infra/options/model-options.ts';
import { madeOnce } from '#test/run-cache.ts';

const FILE = 'modules';
/** An environment variable with the cloud assembly, because the processes that run the files inherit it. */
const SYNTHESIZED = 'BRAINSTEM_SYNTHESIZED';
const provided = new Set<ModelProvider>();

/** Lets this process synthesize stacks of the provider without a pass, when another process has made one. */
export function buildOnce(modelProvider: ModelProvider = 'anthropic'): void {
  if (provided.has(modelProvider)) return;
  const cdkOut = process.env[SYNTHESIZED];
  const made = cdkOut !== undefined && modelProvider === 'anthropic' ? builtIn(cdkOut) : builtFor(modelProvider);
  provide({ modelProvider }, made);
  provided.add(modelProvider);
}

/** Says that this cloud assembly was synthesized from the present sources, without a model provider in its options. */
export function announceBuilt(cdkOut: string): void {
  process.env[SYNTHESIZED] = cdkOut;
}

function builtIn(cdkOut: string): readonly Module[] {
  const cwd = join(cdkOut, 'bundles');
  return globSync('*/*.mjs', { cwd }).map((name) => ({
    name,
    code: readFileSync(join(cwd, name)),
    importsCedar: existsSync(join(cwd, dirname(name), 'node_modules')),
  }));
}

function builtFor(modelProvider: ModelProvider): readonly Module[] {
  const folder = madeOnce({ modules: modelProvider }, (outdir) =>
    writeFileSync(join(outdir, FILE), serialize(modules({ modelProvider }))),
  );
  return deserialize(readFileSync(join(folder, FILE))) as readonly Module[];
}
