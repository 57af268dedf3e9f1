import { copyFileSync, cpSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { Code } from 'aws-cdk-lib/aws-lambda';
import { buildSync } from 'esbuild';
import type { ModelProvider } from '../options/model-options.ts';

/** Each entry is one Lambda function, in `functions/<entry>/handler.ts`; the harness has one file per provider. */
export const ENTRIES = [
  'api',
  'stream',
  'harness',
  'provision',
  'execute',
  'web-fetch',
  'mcp-proxy',
  'sweep',
  'issue-key',
  'sign-audit',
  'connect',
] as const;
export type Entry = (typeof ENTRIES)[number];

/** The harness has one source per provider, so that its bundle holds the client of one provider only. */
const HARNESS_SOURCES: Readonly<Record<ModelProvider, string>> = {
  anthropic: 'handler.ts',
  bedrock: 'bedrock.ts',
  'claude-platform-on-aws': 'claude-platform-on-aws.ts',
};

export interface BundlesProps {
  /** The cloud assembly, so that the bundles stay with the template that names them. */
  readonly outdir: string;
  /** The harness's bundle holds the client of this provider. @default anthropic */
  readonly modelProvider?: ModelProvider;
  /** @default functions/ of this package */
  readonly functionsDir?: string;
  /** @default sandbox-task/ of this package */
  readonly sandboxTaskDir?: string;
  /** Writes `index.mjs.map` beside each bundle, whose code stays the same. @default false: Lambda does not read them */
  readonly sourceMaps?: boolean;
}

export interface Bundles {
  code(entry: Entry): Code;
  /** Build folder of the sandbox image: Dockerfile, server.mjs and build-packages.mjs. */
  readonly sandboxImageDir: string;
}

/** Cedar reads its 4 MB of WebAssembly from its own folder, at the first decision of a policy. */
const CEDAR = '@cedar-policy/cedar-wasm/nodejs';

const REQUIRE = 'import{createRequire as requireOf}from"node:module";const require=requireOf(import.meta.url);';

const PACKAGE_DIR = join(import.meta.dirname, '../..');

/**
 * Bundles every function and the sandbox's server in one esbuild pass, which parses a shared file once (NodejsFunction
 * starts a package manager and a compiler for each function). `bundles/sizes.json` gets the size of each in bytes.
 */
export function bundle(props: BundlesProps): Bundles {
  const functionsDir = props.functionsDir ?? join(PACKAGE_DIR, 'functions');
  const sandboxTaskDir = props.sandboxTaskDir ?? join(PACKAGE_DIR, 'sandbox-task');
  const outdir = join(props.outdir, 'bundles');
  const harness = HARNESS_SOURCES[props.modelProvider ?? 'anthropic'];
  const functions = ENTRIES.map((entry) => [
    `${entry}/index`,
    join(functionsDir, entry, entry === 'harness' ? harness : 'handler.ts'),
  ]);
  const entryPoints = {
    ...Object.fromEntries(functions),
    'sandbox/server': join(sandboxTaskDir, 'main.ts'),
    'sandbox/build-packages': join(sandboxTaskDir, 'build-packages.ts'),
  };
  const modules = build(entryPoints, props.sourceMaps === true);
  for (const { name, code, importsCedar } of modules) {
    const file = join(outdir, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, code);
    if (importsCedar) bringCedar(dirname(file));
  }
  copyFileSync(join(sandboxTaskDir, 'Dockerfile'), join(outdir, 'sandbox/Dockerfile'));
  const sizes = ENTRIES.map((entry) => [entry, statSync(join(outdir, entry, 'index.mjs')).size]);
  writeFileSync(join(outdir, 'sizes.json'), JSON.stringify(Object.fromEntries(sizes), null, 2));
  return { code: (entry) => Code.fromAsset(join(outdir, entry)), sandboxImageDir: join(outdir, 'sandbox') };
}

interface Module {
  /** Path below the folder of the bundles. */
  readonly name: string;
  readonly code: Uint8Array;
  readonly importsCedar: boolean;
}

/** By their sources: an app that holds the construct several times, one stage per Region say, builds them once. */
const built = new Map<string, readonly Module[]>();

function build(entryPoints: Readonly<Record<string, string>>, sourceMaps: boolean): readonly Module[] {
  const sources = JSON.stringify({ entryPoints, sourceMaps });
  const modules = built.get(sources) ?? runEsbuild(entryPoints, sourceMaps);
  built.set(sources, modules);
  return modules;
}

function runEsbuild(entryPoints: Readonly<Record<string, string>>, sourceMaps: boolean): readonly Module[] {
  const credentials = join(PACKAGE_DIR, 'functions/aws/credentials.lambda.ts');
  const { metafile, outputFiles } = buildSync({
    entryPoints: { ...entryPoints },
    absWorkingDir: PACKAGE_DIR,
    // Nothing is written there: the files are returned, with their paths.
    outdir: PACKAGE_DIR,
    write: false,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // esbuild prefers CommonJS builds for Node, and cannot drop their unused code.
    mainFields: ['module', 'main'],
    alias: { '@aws-sdk/credential-provider-node': credentials, '@aws-sdk/credential-providers': credentials },
    external: [CEDAR],
    // Packages in CommonJS form ask for Node's modules by `require`, which an ECMAScript module does not have.
    banner: { js: REQUIRE },
    metafile: true,
    minify: true,
    sourcemap: sourceMaps && 'external',
    legalComments: 'none',
    logLevel: 'warning',
  });
  return outputFiles.map(({ path, contents }) => {
    const name = relative(PACKAGE_DIR, path);
    const imports = metafile.outputs[name]?.imports ?? [];
    return { name, code: contents, importsCedar: imports.some((imported) => imported.path === CEDAR) };
  });
}

/** Copies Cedar as a package into the function's folder, where an import finds it as it does in this repository. */
function bringCedar(folder: string): void {
  const from = dirname(createRequire(import.meta.url).resolve(CEDAR));
  const to = join(folder, 'node_modules/@cedar-policy/cedar-wasm');
  mkdirSync(to, { recursive: true });
  copyFileSync(join(from, '../package.json'), join(to, 'package.json'));
  cpSync(from, join(to, 'nodejs'), { recursive: true, filter: (file) => !/\.(d\.ts|md)$/.test(file) });
}
