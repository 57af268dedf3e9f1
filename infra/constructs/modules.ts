/**
 * The modules that deploy, made by esbuild in one pass, which parses a shared file once (NodejsFunction starts a package
 * manager and a compiler for each function). Nothing here loads the CDK, so a pass can begin before the CDK is loaded.
 */
import { join, relative } from 'node:path';
import { build, buildSync, type BuildOptions, type BuildResult } from 'esbuild';
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
  'egress',
] as const;
export type Entry = (typeof ENTRIES)[number];

/** The harness has one source per provider, so that its bundle holds the client of one provider only. */
const HARNESS_SOURCES: Readonly<Record<ModelProvider, string>> = {
  anthropic: 'handler.ts',
  bedrock: 'bedrock.ts',
  'claude-platform-on-aws': 'claude-platform-on-aws.ts',
};

/** Cedar reads its 4 MB of WebAssembly from its own folder, at the first decision of a policy. */
export const CEDAR = '@cedar-policy/cedar-wasm/nodejs';

/** Packages in CommonJS form ask for Node's modules by `require`, which an ECMAScript module does not have. */
export const REQUIRE = 'import{createRequire as requireOf}from"node:module";const require=requireOf(import.meta.url);';

const PACKAGE_DIR = join(import.meta.dirname, '../..');
export const EGRESS_PROXY_DIR = join(PACKAGE_DIR, 'egress-proxy');

export interface ModuleSources {
  /** The harness's module holds the client of this provider. @default anthropic */
  readonly modelProvider?: ModelProvider;
  /** @default functions/ of this package */
  readonly functionsDir?: string;
  /** @default sandbox-task/ of this package */
  readonly sandboxTaskDir?: string;
  /** Makes a source map of each module, whose code stays the same. @default false: Lambda does not read them */
  readonly sourceMaps?: boolean;
}

export interface Module {
  /** Path below the folder of the bundles. */
  readonly name: string;
  readonly code: Uint8Array;
  readonly importsCedar: boolean;
}

export const sandboxTaskDirOf = ({ sandboxTaskDir = join(PACKAGE_DIR, 'sandbox-task') }: ModuleSources) =>
  sandboxTaskDir;

/** By their passes: an app that holds the construct several times, one stage per Region say, builds them once. */
const built = new Map<string, readonly Module[]>();

type Pass = BuildOptions & { readonly metafile: true; readonly write: false };

/** Builds what the next `modules` of the same sources returns, while this process does something else. */
export async function buildAhead(sources: ModuleSources = {}): Promise<void> {
  provide(sources, modulesIn(await build(passOf(sources))));
}

/** Makes `modules` of these sources return what a pass made, in this process or another one. */
export function provide(sources: ModuleSources, made: readonly Module[]): void {
  built.set(JSON.stringify(passOf(sources)), made);
}

export function modules(sources: ModuleSources): readonly Module[] {
  const pass = passOf(sources);
  const key = JSON.stringify(pass);
  const made = built.get(key) ?? modulesIn(buildSync(pass));
  built.set(key, made);
  return made;
}

function passOf(sources: ModuleSources): Pass {
  const functionsDir = sources.functionsDir ?? join(PACKAGE_DIR, 'functions');
  const sandboxTaskDir = sandboxTaskDirOf(sources);
  const harness = HARNESS_SOURCES[sources.modelProvider ?? 'anthropic'];
  const functions = ENTRIES.map((entry) => [
    `${entry}/index`,
    join(functionsDir, entry, entry === 'harness' ? harness : 'handler.ts'),
  ]);
  const credentials = join(PACKAGE_DIR, 'functions/aws/credentials.lambda.ts');
  return {
    entryPoints: {
      ...Object.fromEntries(functions),
      'sandbox/server': join(sandboxTaskDir, 'main.ts'),
      'sandbox/build-packages': join(sandboxTaskDir, 'build-packages.ts'),
      'egress-proxy/egress-proxy': join(EGRESS_PROXY_DIR, 'main.ts'),
    },
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
    banner: { js: REQUIRE },
    metafile: true,
    minify: true,
    sourcemap: sources.sourceMaps === true && 'external',
    legalComments: 'none',
    logLevel: 'warning',
  };
}

function modulesIn({ metafile, outputFiles }: BuildResult<Pass>): readonly Module[] {
  return outputFiles.map(({ path, contents }) => {
    const name = relative(PACKAGE_DIR, path);
    const imports = metafile.outputs[name]?.imports ?? [];
    return { name, code: contents, importsCedar: imports.some((imported) => imported.path === CEDAR) };
  });
}
