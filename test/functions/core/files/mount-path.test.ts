import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UPLOADS_DIR } from '#contract/hands.ts';
import { mountPath } from '#core/files/mount-path.ts';
import { propertyRuns } from '#test/property-runs.ts';

const pathsOf = ({ path, also }: { path: string; also: string | null }) => (also === null ? [path] : [path, also]);
const at = (asked: string): unknown => {
  const mounted = mountPath(asked);
  return mounted.status === 'mounted' ? pathsOf(mounted) : mounted.rule;
};

describe('the path of a session file', () => {
  it.each([
    ['data.csv', ['data.csv']],
    ['infra/k8s/x.yaml', ['infra/k8s/x.yaml']],
    ['./calc.py', ['calc.py']],
    ['/data.csv', ['data.csv']],
    ['/mnt/session/uploads/data.csv', ['data.csv']],
    ['/mnt/session/uploads/./a/b.csv', ['a/b.csv']],
    ['/mnt/user-data/case_studies/one.pdf', ['mnt/user-data/case_studies/one.pdf']],
    ['/mnt/session/outputs/one.pdf', ['mnt/session/outputs/one.pdf']],
    ['/mnt/session/uploads-of-others/one.pdf', ['mnt/session/uploads-of-others/one.pdf']],
    ['mnt/session/uploads/data.csv', ['mnt/session/uploads/data.csv']],
    ['workspace/data.csv', ['workspace/data.csv']],
    ['/etc/passwd', ['etc/passwd']],
    ['Übersicht 2026.xlsx', ['Übersicht 2026.xlsx']],
    ['..data', ['..data']],
    ['a\\b', ['a\\b']],
    ['~/a', ['~/a']],
  ])('%s is below the folder of uploads', (asked, below) => {
    expect(at(asked)).toEqual(below.map((path) => `${UPLOADS_DIR}/${path}`));
  });

  it('is given twice where a program asks for it in the working directory', () => {
    expect(at('/workspace/src/./a.py')).toEqual([`${UPLOADS_DIR}/workspace/src/a.py`, '/workspace/src/a.py']);
    expect(at('/workspaces/a.py')).toEqual([`${UPLOADS_DIR}/workspaces/a.py`]);
  });

  it.each([
    ['', 'empty segments'],
    ['/', 'empty segments'],
    ['//', 'empty segments'],
    ['a//b', 'empty segments'],
    ['//a', 'empty segments'],
    ['data/', 'empty segments'],
    ['.', 'name a file'],
    ['a/.', 'name a file'],
    ['..', '".."'],
    ['../a', '".."'],
    ['/mnt/session/uploads/../outputs/a', '".."'],
    ['a/..', '".."'],
    ['/workspace', 'not the folder'],
    ['/mnt/session/uploads', 'not the folder'],
    ['/workspace/.brainstem', '.brainstem'],
    ['/workspace/./.brainstem/outputs/a.txt', '.brainstem'],
    ['a\0b', 'control characters'],
    ['a\nb', 'control characters'],
    ['a\u0085b', 'control characters'],
    ['x'.repeat(256), '255 bytes'],
    ['é'.repeat(128), '255 bytes'],
    ['x/'.repeat(600) + 'x', '1024 bytes'],
  ])('refuses %j', (asked, rule) => {
    expect(at(asked)).toContain(rule);
  });

  it('never leaves the folder of uploads and the working directory, and taken again stays', () => {
    const segment = fc.constantFrom(
      'a',
      '..',
      '.',
      '',
      'mnt',
      'session',
      'uploads',
      'workspace',
      '.brainstem',
      'é',
      '\0',
      '...',
    );
    const path = fc.array(segment, { minLength: 1, maxLength: 8 }).map((segments) => segments.join('/'));
    fc.assert(
      fc.property(
        fc.oneof(
          path,
          path.map((one) => `/${one}`),
          fc.string(),
        ),
        (asked) => {
          const mounted = mountPath(asked);
          if (mounted.status === 'refused') return;
          expect(mountPath(mounted.path)).toMatchObject({ path: mounted.path });
          for (const one of pathsOf(mounted)) {
            expect(one).toMatch(/^\/(mnt\/session\/uploads|workspace)\/[^]/);
            expect(
              new URL(`file://${one.split('/').map(encodeURIComponent).join('/')}`).pathname.split('/'),
            ).toHaveLength(one.split('/').length);
            expect(one.split('/').slice(1)).not.toContain('');
            expect(one).not.toMatch(/^\/workspace\/\.brainstem/);
          }
        },
      ),
      { numRuns: propertyRuns(2000) },
    );
  });
});
