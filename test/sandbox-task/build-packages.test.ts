/** The build as a process, with a small server as the bucket and a folder as the registry. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { execFileSync } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PACKAGE_MANAGERS, PackageFailure, type PackageList } from '#contract/packages.ts';
import { lastWords } from '../../sandbox-task/programs.ts';
import { bundleOf } from '#test/run-cache.ts';

const MAIN = new URL('../../sandbox-task/build-packages.ts', import.meta.url).pathname;
const NONE: PackageList = { apt: [], cargo: [], gem: [], go: [], npm: [], pip: [] };

let folder: string;
let server: Server;
let url: string;
let objects: Map<string, Buffer>;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'build-packages-'));
  objects = new Map();
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const key = request.url ?? '';
      if (request.method === 'PUT') objects.set(key, Buffer.concat(chunks));
      const body = objects.get(key);
      response.writeHead(body === undefined ? 404 : 200).end(request.method === 'GET' ? body : '');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Shell scripts with these names in place of the managers, which record their arguments. */
function managers(scripts: Readonly<Record<string, string>>): string {
  const bin = join(folder, 'bin');
  mkdirSync(bin, { recursive: true });
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  return bin;
}

interface Built {
  readonly code: number | null;
  readonly lines: string;
  readonly failure: PackageFailure | null;
  /** The files of the archive; null when there is none. */
  readonly files: readonly string[] | null;
}

async function build(packages: Partial<PackageList>, path: string, sources = {}): Promise<Built> {
  const order = {
    attempt: 2,
    packages: { ...NONE, ...packages },
    sources,
    archiveUrl: `${url}/a`,
    failureUrl: `${url}/f`,
  };
  objects.set('/order', Buffer.from(JSON.stringify(order)));
  const env = { PATH: path, HOME: folder, PACKAGES_DIR: join(folder, 'packages'), PACKAGES_ORDER_URL: `${url}/order` };
  mkdirSync(join(folder, 'packages'), { recursive: true });
  const child = spawn(process.execPath, [bundleOf(MAIN)], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let lines = '';
  child.stdout.on('data', (chunk: Buffer) => (lines += chunk.toString()));
  const [code] = await once(child, 'close');
  const [failure, archive] = [objects.get('/f'), objects.get('/a')];
  const list = (bytes: Buffer) => execFileSync('tar', ['-tzf', '-'], { input: bytes, encoding: 'utf8' }).split('\n');
  return {
    code,
    lines,
    failure: failure === undefined ? null : PackageFailure.parse(JSON.parse(failure.toString())),
    files: archive === undefined ? null : list(archive).filter((file) => !file.endsWith('/') && file !== ''),
  };
}

const SYSTEM = '/usr/bin:/bin';

test('a build makes an archive of what the managers install, in the contract’s order, and each sees the earlier ones', async () => {
  const log = join(folder, 'log');
  const bin = managers({
    cargo: `echo "cargo $*" >> ${log}; mkdir -p "$3/bin"; printf '#!/bin/sh\\necho tool' > "$3/bin/tool"; chmod +x "$3/bin/tool"`,
    npm: `echo "npm $(tool) $*" >> ${log}; mkdir -p "$4/lib"; touch "$4/lib/a.js"`,
  });
  const { code, files, failure } = await build({ npm: ['b'], cargo: ['a@1'] }, `${bin}:${SYSTEM}`);
  expect({ code, failure, files }).toEqual({
    code: 0,
    failure: null,
    files: ['./cargo/bin/tool', './npm/lib/a.js'],
  });
  const [first, second] = readFileSync(log, 'utf8').split('\n');
  expect(first).toMatch(/^cargo install .* -- a@1$/);
  expect(second).toMatch(/^npm tool install --global .* -- b$/);
});

test('a build reports a failing manager with its last output, which is not logged, and runs no later manager', async () => {
  const bin = managers({
    cargo: 'echo "no such crate: secret-project, at https://me:pass@crates.example/x" >&2; exit 101',
    npm: `touch ${join(folder, 'npm-ran')}`,
  });
  const { code, files, failure, lines } = await build({ cargo: ['secret-project'], npm: ['b'] }, `${bin}:${SYSTEM}`);
  expect({ code, files }).toEqual({ code: 1, files: null });
  expect(failure).toEqual({
    attempt: 2,
    manager: 'cargo',
    message: 'no such crate: secret-project, at https://***@crates.example/x',
  });
  expect(lines).toContain('"manager":"cargo"');
  expect(lines).not.toMatch(/secret-project|http/);
});

const PROGRAM_OF = { apt: 'apt-get', cargo: 'cargo', gem: 'gem', go: 'go', npm: 'npm', pip: 'python3' };
test.each(PACKAGE_MANAGERS)('a build without the program of %s is a failure that says so', async (manager) => {
  const { failure } = await build({ [manager]: ['x'] }, managers({}));
  expect(failure).toMatchObject({ manager, message: `${PROGRAM_OF[manager]} is not in the image of this build` });
});

test.each(['-r', '--index-url=https://elsewhere', '', 'a\nb', '../folder', '/folder'])(
  'a build passes no package name like %j to its manager',
  async (name) => {
    const { failure } = await build({ npm: [name] }, managers({ npm: 'exit 0' }));
    expect(failure).toMatchObject({ manager: 'npm', message: `${JSON.stringify(name)} is not the name of a package` });
  },
);

test.each([
  'left-pad',
  '@scope/name@1.2.3',
  'requests >= 2.0',
  'name[extra]==1',
  'golang.org/x/tools/cmd/stringer@v0.1',
])('a build passes a package name like %j to its manager', async (name) => {
  const bin = managers({ npm: 'exit 0' });
  expect(await build({ npm: [name] }, `${bin}:${SYSTEM}`)).toMatchObject({ code: 0, failure: null });
});

test('a build passes the configured sources to the managers', async () => {
  const log = join(folder, 'log');
  const say = `echo "$(basename $0) $* $GOPROXY" >> ${log}`;
  const bin = managers({ cargo: say, gem: say, go: say, npm: say, python3: say });
  const sources = {
    cargoIndex: 'https://crates.example/',
    gemSource: 'https://gems.example/',
    goProxy: 'https://go.example',
    npmRegistry: 'https://npm.example/',
    pipIndexUrl: 'https://pip.example/simple',
  };
  await build({ cargo: ['a'], gem: ['b'], go: ['c'], npm: ['d'], pip: ['e'] }, `${bin}:${SYSTEM}`, sources);
  const said = readFileSync(log, 'utf8');
  for (const part of [
    '--index sparse+https://crates.example/',
    '--clear-sources --source https://gems.example/',
    'go install c@latest https://go.example',
    '--registry https://npm.example/',
    '--index-url https://pip.example/simple',
  ]) {
    expect(said).toContain(part);
  }
});

test('a build with a missing order ends at once', async () => {
  const env = { PATH: SYSTEM, HOME: folder, PACKAGES_ORDER_URL: `${url}/nowhere` };
  const child = spawn(process.execPath, [bundleOf(MAIN)], { env, stdio: 'ignore' });
  expect((await once(child, 'close'))[0]).toBe(1);
});

describe('the last output of a manager', () => {
  test('is the end of its text, of bounded length and without colours', () => {
    const words = lastWords(`start ${'x'.repeat(10_000)} \u001b[31mend\u001b[0m\n`);
    expect(words).toHaveLength(4000);
    expect(words).toMatch(/ end$/);
  });
});
