/**
 * The parts of the documents that a test can check: links resolve, named files exist, and code cites these pages only.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const PAGES = ['README.md', 'CONTRIBUTING.md', ...globSync('docs/*.md', { cwd: ROOT }).toSorted()];
const CODE = globSync(
  ['{functions,infra,sandbox-task,egress-proxy,test}/**/*.ts', '.ci/run', 'sandbox-task/Dockerfile'],
  {
    cwd: ROOT,
  },
);
const FILE_NAMES = new Set(CODE.map((file) => basename(file)));

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

/** The text of a page without fenced blocks, which contain no headings and no links. */
const proseOf = (page: string) => read(page).replaceAll(/^```[^]*?^```/gm, '');

/** The anchor that GitHub makes from a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .trim()
    .replaceAll(' ', '-');
}

function anchorsOf(page: string): readonly string[] {
  return [...proseOf(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading));
}

/** Whether a path of the repository exists and, when the target has an anchor, has that heading. */
function resolves(target: string): boolean {
  const [path = '', anchor] = target.split('#');
  if (!existsSync(join(ROOT, path))) return false;
  return anchor === undefined || anchorsOf(path).includes(anchor);
}

describe('the documents', () => {
  it.each(PAGES)('%s has only links that resolve', (page) => {
    const links = [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
    const local = links.filter((target) => !/^https?:/.test(target));
    const targets = local.map((target) =>
      target.startsWith('#') ? `${page}${target}` : relative(ROOT, join(ROOT, dirname(page), target)),
    );
    expect(targets.filter((target) => !resolves(target))).toEqual([]);
  });

  it.each(PAGES)('%s names only source files that exist', (page) => {
    const named = [...proseOf(page).matchAll(/`([\w./-]+\.ts)`/g)].map(([, name = '']) => name);
    // The pattern of adapters' names is not a file.
    const patterns = ['port.technology.ts'];
    const isThere = (name: string) =>
      FILE_NAMES.has(basename(name)) && (!name.includes('/') || CODE.some((file) => `/${file}`.endsWith(`/${name}`)));
    expect(named.filter((name) => !patterns.includes(name) && !isThere(name))).toEqual([]);
  });

  it('are all linked from the README', () => {
    const readme = read('README.md');
    expect(PAGES.filter((page) => page !== 'README.md' && !readme.includes(`(${page})`))).toEqual([]);
  });

  it('have a README of at most 220 lines and at most forty words on the page of words', () => {
    expect(read('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(220);
    const rows = read('docs/words.md').match(/^\| (?!Word )/gm) ?? [];
    expect(rows.length).toBeLessThanOrEqual(40);
  });
});

describe('the scripts of package.json', () => {
  it('limit the arenas of malloc where functions run as threads', () => {
    const { scripts } = JSON.parse(read('package.json')) as {
      readonly scripts: Readonly<Record<string, string>>;
    };
    for (const name of ['start', 'demo', 'bench']) expect(scripts[name]).toContain('MALLOC_ARENA_MAX=');
  });
});

describe('citations in code', () => {
  const lines = CODE.filter((file) => file !== 'test/documents.test.ts').flatMap((file) =>
    read(file)
      .split('\n')
      .map((text) => ({ file, text })),
  );

  it('name pages and headings that exist', () => {
    const broken = lines.flatMap(({ file, text }) =>
      [...text.matchAll(/docs\/[\w-]+\.md(?:#[\w-]+)?/g)]
        .filter(([target]) => !resolves(target))
        .map(([target]) => `${file} cites ${target}`),
    );
    expect(broken).toEqual([]);
  });

  it('name no document outside the repository except public standards', () => {
    const outside = lines.filter(
      ({ text }) =>
        (text.includes('§') && !/RFC \d|OpenID Connect/.test(text)) ||
        /\b(?:design|contract|style) §|\bgovernance (?:§|[TPC]?\d)|aws-facts/.test(text),
    );
    expect(outside.map(({ file, text }) => `${file}: ${text.trim()}`)).toEqual([]);
  });
});
