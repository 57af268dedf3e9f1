import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openSynthesisCache, synthesisKey, type SynthesisInputs } from '#infra/local/synthesis-cache.ts';

let place: string;

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'brainstem-synthesis-'));
});
afterEach(() => rmSync(place, { recursive: true }));

function write(path: string, content: string): void {
  mkdirSync(dirname(join(place, path)), { recursive: true });
  writeFileSync(join(place, path), content);
}

const ASSEMBLY = {
  'Brainstem.template.json': '{"Resources":{}}',
  'asset.1/index.mjs': 'export {};',
  'asset.1/node_modules/cedar/cedar.wasm': '\0asm',
};

function writeAssembly(folder: string, files: Readonly<Record<string, string>> = ASSEMBLY): string {
  for (const [path, content] of Object.entries(files)) write(join(folder, path), content);
  return join(place, folder);
}

const cache = () => openSynthesisCache(join(place, 'cache'));
const out = () => join(place, 'out');
const read = (path: string) => readFileSync(join(out(), path), 'utf8');

describe('a kept synthesis', () => {
  test('is written as it was, over what the folder held before', () => {
    cache().keep('k1', writeAssembly('made'));
    writeAssembly('out', { 'Old.template.json': '{}' });
    expect(cache().take('k1', out())).toBe(true);
    expect(Object.fromEntries(Object.keys(ASSEMBLY).map((path) => [path, read(path)]))).toEqual(ASSEMBLY);
    expect(existsSync(join(out(), 'Old.template.json'))).toBe(false);
  });

  test('is not taken for another key', () => {
    cache().keep('k1', writeAssembly('made'));
    expect(cache().take('k2', out())).toBe(false);
  });

  test.each<[string, (kept: string) => void]>([
    ['a file that lost its end', (kept) => writeFileSync(join(kept, 'asset.1/index.mjs'), 'export')],
    ['a file with another byte', (kept) => writeFileSync(join(kept, 'asset.1/index.mjs'), 'export [];')],
    ['an empty file', (kept) => writeFileSync(join(kept, 'Brainstem.template.json'), '')],
    ['no file', (kept) => rmSync(join(kept, 'Brainstem.template.json'))],
    ['no index', (kept) => rmSync(join(kept, 'index.json'))],
    ['half an index', (kept) => writeFileSync(join(kept, 'index.json'), '{"Brainstem.template')],
    ['an index of another shape', (kept) => writeFileSync(join(kept, 'index.json'), '{"files":[]}')],
    ['a file in its place', (kept) => (rmSync(kept, { recursive: true }), writeFileSync(kept, ''))],
  ])('that is damaged (%s) is not taken, and is kept anew', (_name, damage) => {
    const made = writeAssembly('made');
    cache().keep('k1', made);
    damage(join(place, 'cache/k1'));
    expect(cache().take('k1', out())).toBe(false);
    expect(existsSync(out())).toBe(false);
    cache().keep('k1', made);
    expect(cache().take('k1', out())).toBe(true);
  });

  test('that another process kept meanwhile stays, and nothing unfinished is left', () => {
    cache().keep('k1', writeAssembly('made'));
    cache().keep('k1', writeAssembly('other', { 'Brainstem.template.json': '{"other":true}' }));
    cache().take('k1', out());
    expect(read('Brainstem.template.json')).toBe(ASSEMBLY['Brainstem.template.json']);
    expect(readdirSync(join(place, 'cache'))).toEqual(['k1']);
  });

  test('of a process that was killed while it wrote is not found, and is removed later', () => {
    const made = writeAssembly('made');
    const [abandoned, written] = ['unfinished-a', 'unfinished-b'].map((name) => writeAssembly(`cache/${name}`));
    const hoursAgo = new Date(Date.now() - 2 * 60 * 60_000);
    utimesSync(abandoned ?? '', hoursAgo, hoursAgo);
    cache().keep('k1', made);
    expect([existsSync(abandoned ?? ''), existsSync(written ?? '')]).toEqual([false, true]);
  });

  test('is removed when four others were used after it', () => {
    const made = writeAssembly('made');
    for (const [minute, key] of ['k0', 'k1', 'k2', 'k3'].entries()) {
      cache().keep(key, made);
      const at = new Date(Date.now() - (10 - minute) * 60_000);
      utimesSync(join(place, 'cache', key), at, at);
    }
    cache().take('k0', out());
    cache().keep('k4', made);
    expect(readdirSync(join(place, 'cache')).toSorted()).toEqual(['k0', 'k2', 'k3', 'k4']);
  });
});

describe('the key of a synthesis', () => {
  const inputs = (root = 'root'): SynthesisInputs => ({
    root: join(place, root),
    userSettings: join(place, 'home/.cdk.json'),
    environment: { CDK_VALIDATION: 'false', NODE_OPTIONS: undefined },
    node: 'v24.21.0',
  });

  beforeEach(() => {
    for (const path of SOURCES) write(join('root', path), 'first');
    write('root/test/any.test.ts', 'first');
  });

  const SOURCES = [
    'functions/api/handler.ts',
    'functions/core/session/decide.ts',
    'infra/app.ts',
    'sandbox-task/Dockerfile',
    'sandbox-task/main.ts',
    'egress-proxy/Dockerfile',
    'egress-proxy/main.ts',
    'package.json',
    'package-lock.json',
    'node_modules/.package-lock.json',
    'tsconfig.json',
    'cdk.json',
  ];

  test.each([...SOURCES, 'cdk.context.json', 'functions/new.ts'])('differs when %s differs', (path) => {
    const before = synthesisKey(inputs());
    write(join('root', path), 'other');
    expect(synthesisKey(inputs())).not.toBe(before);
  });

  test('differs when a source has another name or is gone', () => {
    const before = synthesisKey(inputs());
    cpSync(join(place, 'root/infra/app.ts'), join(place, 'root/infra/apps.ts'));
    rmSync(join(place, 'root/infra/app.ts'));
    const renamed = synthesisKey(inputs());
    rmSync(join(place, 'root/infra/apps.ts'));
    expect(new Set([before, renamed, synthesisKey(inputs())]).size).toBe(3);
  });

  test('differs when the settings of the person, a variable or Node.js differ', () => {
    const plain = synthesisKey(inputs());
    const others: Partial<SynthesisInputs>[] = [
      { node: 'v24.22.0' },
      { environment: { ...inputs().environment, CDK_DEBUG: '1' } },
      { environment: { ...inputs().environment, NODE_OPTIONS: '--import=./x.mjs' } },
    ];
    const keys = others.map((other) => synthesisKey({ ...inputs(), ...other }));
    write('home/.cdk.json', '{"context":{}}');
    expect(new Set([plain, ...keys, synthesisKey(inputs())]).size).toBe(5);
  });

  test('stays the same in another checkout, with another test, and with the lock of an editor', () => {
    const before = synthesisKey(inputs());
    cpSync(join(place, 'root'), join(place, 'checkout'), { recursive: true });
    write('checkout/test/any.test.ts', 'other');
    symlinkSync('me@host.1', join(place, 'checkout/infra/.#app.ts'));
    expect(synthesisKey(inputs('checkout'))).toBe(before);
  });
});
