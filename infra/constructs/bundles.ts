import { copyFileSync, cpSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Code } from 'aws-cdk-lib/aws-lambda';
import {
  CEDAR,
  EGRESS_PROXY_DIR,
  ENTRIES,
  modules,
  sandboxTaskDirOf,
  type Entry,
  type ModuleSources,
} from './modules.ts';

export interface BundlesProps extends ModuleSources {
  /** The cloud assembly, so that the bundles stay with the template that names them. */
  readonly outdir: string;
}

export interface Bundles {
  code(entry: Entry): Code;
  /** Build folder of the sandbox image: Dockerfile, server.mjs and build-packages.mjs. */
  readonly sandboxImageDir: string;
  /** Build folder of the egress proxy's image, whose stage is `egress`: Dockerfile and egress-proxy.mjs. */
  readonly egressImageDir: string;
}

/**
 * Writes the module of every function, of the sandbox and of the egress proxy. `bundles/sizes.json` gets the size of each
 * in bytes.
 */
export function bundle(props: BundlesProps): Bundles {
  const outdir = join(props.outdir, 'bundles');
  for (const { name, code, importsCedar } of modules(props)) {
    const file = join(outdir, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, code);
    if (importsCedar) bringCedar(dirname(file));
  }
  copyFileSync(join(sandboxTaskDirOf(props), 'Dockerfile'), join(outdir, 'sandbox/Dockerfile'));
  copyFileSync(join(EGRESS_PROXY_DIR, 'Dockerfile'), join(outdir, 'egress-proxy/Dockerfile'));
  const sizes = ENTRIES.map((entry) => [entry, statSync(join(outdir, entry, 'index.mjs')).size]);
  writeFileSync(join(outdir, 'sizes.json'), JSON.stringify(Object.fromEntries(sizes), null, 2));
  return {
    code: (entry) => Code.fromAsset(join(outdir, entry)),
    sandboxImageDir: join(outdir, 'sandbox'),
    egressImageDir: join(outdir, 'egress-proxy'),
  };
}

/** Copies Cedar as a package into the function's folder, where an import finds it as it does in this repository. */
function bringCedar(folder: string): void {
  const from = dirname(createRequire(import.meta.url).resolve(CEDAR));
  const to = join(folder, 'node_modules/@cedar-policy/cedar-wasm');
  mkdirSync(to, { recursive: true });
  copyFileSync(join(from, '../package.json'), join(to, 'package.json'));
  cpSync(from, join(to, 'nodejs'), { recursive: true, filter: (file) => !/\.(d\.ts|md)$/.test(file) });
}
