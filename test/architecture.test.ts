/** The dependency table of docs/design.md#rooms, and the rules about files that follow from it. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const FOLDERS = ['functions', 'infra', 'sandbox-task', 'egress-proxy'];
const SOURCES = globSync(
  FOLDERS.map((folder) => `${folder}/**/*.ts`),
  { cwd: ROOT },
).toSorted();

interface Import {
  readonly file: string;
  /** A path in the repository, or the name of a package. */
  readonly target: string;
}

const ALIASES: Readonly<Record<string, string>> = {
  '#contract/': 'functions/contract/',
  '#core/': 'functions/core/',
  '#aws/': 'functions/aws/',
  '#infra/': 'infra/',
  '#test/': 'test/',
};

function importsOf(file: string): readonly Import[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  // The pattern reads one statement at a time: `import … from '…';`, `export … from '…';`, `import '…';` and
  // `import('…')`.
  const statements =
    text.match(/^(?:import|export)\s[^;]*?\sfrom '[^']+';|^import '[^']+';|\bimport\('[^']+'\)/gm) ?? [];
  const specifiers = statements.map((statement) => /'([^']+)'\)?;?$/.exec(statement)?.[1] ?? '');
  return specifiers.map((specifier) => ({ file, target: resolve(file, specifier) }));
}

function resolve(file: string, specifier: string): string {
  if (specifier.startsWith('.')) return relative(ROOT, join(ROOT, dirname(file), specifier));
  const alias = Object.keys(ALIASES).find((prefix) => specifier.startsWith(prefix));
  return alias === undefined ? specifier : `${ALIASES[alias]}${specifier.slice(alias.length)}`;
}

const IMPORTS = SOURCES.flatMap(importsOf);
const entries = [
  ...new Set(SOURCES.filter((file) => file.startsWith('functions/')).map((file) => file.split('/')[1] ?? '')),
]
  .filter((name) => !['contract', 'core', 'aws', 'http'].includes(name))
  .map((name) => `functions/${name}/`);

/** For the files under `from`: the beginnings of what they may import. */
const TABLE: readonly { readonly from: string; readonly may: readonly string[] }[] = [
  { from: 'functions/contract/', may: ['functions/contract/', 'zod'] },
  { from: 'functions/core/', may: ['functions/core/', 'functions/contract/', 'zod'] },
  {
    from: 'functions/aws/',
    may: [
      'functions/aws/',
      'functions/core/',
      'functions/contract/',
      'zod',
      'node:',
      '@aws-sdk/',
      '@aws-lambda-powertools/',
      '@anthropic-ai/sdk/',
      '@anthropic-ai/aws-sdk/',
      '@anthropic-ai/bedrock-sdk/',
      '@modelcontextprotocol/client',
      'aws4',
      'eventsource-parser',
      '@modelcontextprotocol/client',
      'htmlparser2',
      'openid-client',
      '@cedar-policy/cedar-wasm/nodejs',
      'yaml',
      'yauzl',
    ],
  },
  // The HTTP shell of the functions behind API Gateway.
  { from: 'functions/http/', may: ['functions/http/', 'functions/core/ports/', 'functions/contract/'] },
  ...entries.map((from) => ({
    from,
    may: [
      from,
      'functions/core/',
      'functions/contract/',
      'functions/aws/worlds/',
      'functions/http/',
      'zod',
      'node:',
      'aws-lambda',
      'hono',
    ],
  })),
  {
    from: 'sandbox-task/',
    may: [
      'sandbox-task/',
      'functions/contract/hands.ts',
      'functions/contract/egress.ts',
      'functions/contract/packages.ts',
      'functions/contract/repositories.ts',
      'zod',
      'node:',
      '@anthropic-ai/sdk/',
    ],
  },
  {
    from: 'egress-proxy/',
    may: [
      'egress-proxy/',
      'functions/contract/',
      'functions/core/ports/',
      'functions/core/outbound/',
      'functions/core/egress/',
      'zod',
      'node:',
      'aws4',
      '@peculiar/asn1-schema',
      '@peculiar/asn1-x509',
    ],
  },
];

/** The rooms of core in their order: a file imports from its own room and from those before it. */
const CORE_ROOMS = [
  'ports',
  'model',
  'tools',
  'requests',
  'agents',
  'outbound',
  'vault',
  'audit',
  'environments',
  'files',
  'memory',
  'skills',
  'egress',
  'session',
  'connect',
  'hands',
  'previews',
  'policy',
  'mcp',
  'harness',
];

/** The rooms of aws. Each holds the adapters of the core room of that name, and `worlds` binds them together. */
const AWS_ROOMS = [
  'audit',
  'connect',
  'files',
  'hands',
  'mcp',
  'memory',
  'model',
  'outbound',
  'policy',
  'records',
  'session',
  'skills',
  'vault',
  'worlds',
];

const roomOf = (path: string) => path.split('/')[2] ?? '';

const allowed = (target: string, may: readonly string[]) =>
  may.some((prefix) => target === prefix || target.startsWith(prefix));
const told = (broken: readonly Import[]) => broken.map(({ file, target }) => `${file} imports ${target}`);

/** Files with exports for Lambda, for CDK apps or for a bundle, and schemas, which describe the whole wire. */
const EXPORTS_OUTWARD =
  /handler\.ts$|^functions\/(harness|contract)\/|credentials\.lambda\.ts$|^infra\/(brainstem\.ts|constructs\/)/;

/** Files that Lambda, the CDK, npm or a container starts. */
const ENTRY = new RegExp(
  [
    '^functions/[^/]+/handler\\.ts$',
    '^functions/harness/(bedrock|claude-platform-on-aws)\\.ts$',
    '^functions/aws/credentials\\.lambda\\.ts$',
    '^infra/main\\.ts$',
    '^infra/cli/[^/]+/main\\.ts$',
    '^infra/local/(start|demo/main)\\.ts$',
    '^infra/local/tasks/relay\\.ts$',
    '^sandbox-task/(main|build-packages)\\.ts$',
    '^egress-proxy/main\\.ts$',
  ].join('|'),
);

function exportsOf(file: string): readonly string[] {
  const declared = readFileSync(join(ROOT, file), 'utf8').matchAll(
    /^export (?:async )?(?:const|function\*?|interface|type|class) (\w+)/gm,
  );
  return [...declared].map(([, name = '']) => name);
}

/** `<file> <name>` for each exported name that is used; `<file> *` when every name of a file may be used. */
function namesImportedBy(file: string): readonly string[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const named = text.matchAll(/^import (?:type )?\{([^}]*)\} from '([^']+)'/gm);
  const whole = text.matchAll(/^import \* as \w+ from '([^']+)'|\bimport\('([^']+)'\)|new URL\('([^']+\.ts)'/gm);
  return [
    ...[...named].flatMap(([, names = '', specifier = '']) =>
      names.split(',').map((name) => `${resolve(file, specifier)} ${(/^(?:type )?(\w+)/.exec(name.trim()) ?? [])[1]}`),
    ),
    ...[...whole].map(([, space, lazy, url]) => `${resolve(file, space ?? lazy ?? url ?? '')} *`),
  ];
}

describe('the architecture', () => {
  it.each(TABLE)('lets $from import only what the table allows', ({ from, may }) => {
    const mine = IMPORTS.filter(({ file }) => file.startsWith(from));
    expect(mine.length).toBeGreaterThan(0);
    expect(told(mine.filter(({ target }) => !allowed(target, may)))).toEqual([]);
  });

  it('has no circle between the rooms of core', () => {
    const rooms = new Set(SOURCES.filter((file) => file.startsWith('functions/core/')).map(roomOf));
    expect([...rooms].toSorted()).toEqual(CORE_ROOMS.toSorted());
    const backwards = IMPORTS.filter(
      ({ file, target }) =>
        file.startsWith('functions/core/') &&
        target.startsWith('functions/core/') &&
        CORE_ROOMS.indexOf(roomOf(target)) > CORE_ROOMS.indexOf(roomOf(file)),
    );
    expect(told(backwards)).toEqual([]);
  });

  it('lets a file of aws know one room besides the root files; worlds know all', () => {
    // `aws/<room>/<file>`; a file at the root is in no room.
    const awsRoomOf = (path: string) => (path.split('/').length > 3 ? roomOf(path) : null);
    const rooms = new Set(SOURCES.filter((file) => file.startsWith('functions/aws/')).map(awsRoomOf));
    expect([...rooms].filter((room) => room !== null).toSorted()).toEqual(AWS_ROOMS.toSorted());
    const crossing = IMPORTS.filter(
      ({ file, target }) =>
        file.startsWith('functions/aws/') &&
        target.startsWith('functions/aws/') &&
        awsRoomOf(file) !== 'worlds' &&
        ![null, awsRoomOf(file)].includes(awsRoomOf(target)),
    );
    expect(told(crossing)).toEqual([]);
  });

  it('keeps infra away from core and aws; programs in infra/cli may import core', () => {
    const broken = IMPORTS.filter(
      ({ file, target }) =>
        file.startsWith('infra/') &&
        /^functions\/(?!contract\/)/.test(target) &&
        !(file.startsWith('infra/cli/') && target.startsWith('functions/core/')),
    );
    expect(told(broken)).toEqual([]);
  });

  it('keeps the deployed parts away from the local runtime and the tests', () => {
    const deployed = IMPORTS.filter(({ file }) => !file.startsWith('infra/local/'));
    expect(told(deployed.filter(({ target }) => /^(infra\/local|test)\//.test(target)))).toEqual([]);
  });

  it('imports zod as a namespace, which makes bundles five times smaller', () => {
    const named = SOURCES.filter((file) => /import \{[^}]*\} from 'zod'/.test(readFileSync(join(ROOT, file), 'utf8')));
    expect(named).toEqual([]);
  });

  it('has no file for unrelated things: utils, helpers, common, shared, types', () => {
    const drawers = SOURCES.filter((file) =>
      /(^|\/)(utils?|helpers?|common|shared|types|misc|base)(\/|\.ts$)/.test(file),
    );
    expect(drawers).toEqual([]);
  });

  it('reads the environment, the clock and randomness only at the named places', () => {
    const impure = SOURCES.filter((file) => /^functions\/(core|contract)\//.test(file)).filter((file) =>
      /process\.|Date\.now\(\)|new Date\(\)|Math\.random|randomUUID|setTimeout/.test(
        readFileSync(join(ROOT, file), 'utf8'),
      ),
    );
    expect(impure).toEqual([]);
  });

  it('has no branch in product code that depends on running locally', () => {
    const local = SOURCES.filter((file) => file.startsWith('functions/')).filter((file) =>
      /isLocal|NODE_ENV|localhost|127\.0\.0\.1|LOCAL_/.test(readFileSync(join(ROOT, file), 'utf8')),
    );
    expect(local).toEqual([]);
  });

  it('exports only what another file imports', () => {
    const importing = [...SOURCES, ...globSync('test/**/*.ts', { cwd: ROOT })];
    const imported = new Set(importing.flatMap(namesImportedBy));
    const unused = SOURCES.filter((file) => !EXPORTS_OUTWARD.test(file)).flatMap((file) =>
      exportsOf(file)
        .map((name) => `${file} ${name}`)
        .filter((exported) => !imported.has(exported) && !imported.has(`${file} *`)),
    );
    expect(unused).toEqual([]);
  });

  it('has no file that only tests use', () => {
    const used = new Set(SOURCES.flatMap(namesImportedBy).map((name) => name.split(' ')[0]));
    const imported = new Set([...IMPORTS.map(({ target }) => target), ...used]);
    expect(SOURCES.filter((file) => !imported.has(file) && !ENTRY.test(file))).toEqual([]);
  });

  it('names files in kebab-case, and an adapter port.technology', () => {
    const odd = SOURCES.filter((file) => !/^[a-z0-9/-]+(\.[a-z0-9-]+)?\.ts$/.test(file));
    expect(odd).toEqual([]);
  });
});
