import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isRefusal } from '#core/ports/errors.ts';
import type { SkillFile } from '#core/ports/skills.ts';
import { SKILL_LIMITS, skillFoldersIn } from '#core/skills/bundle.ts';
import { otherName, readUpload } from '#core/skills/read-upload.ts';
import { createSkillArchives } from '#aws/skills/skill-archives.zip.ts';
import { propertyRuns } from '#test/property-runs.ts';
import { downloaded, SKILL_MD, unpacked, zipOf, type ZipEntry } from './zips.ts';

const archives = createSkillArchives();

const file = (path: string, text: string | Buffer = ''): SkillFile => ({ path, bytes: Buffer.from(text as string) });
const read = (...files: readonly SkillFile[]) => readUpload(archives, files);
const readZip = (entries: readonly ZipEntry[]) => read({ path: 'skill.zip', bytes: zipOf(entries) });
const MAIN = file('pdf/SKILL.md', SKILL_MD);
const MAIN_ENTRY: ZipEntry = { name: 'pdf/SKILL.md', data: SKILL_MD };

describe('an upload of a skill', () => {
  it('is the same archive as files and as a zip, in any order, below a directory of its name', async () => {
    const more = file('pdf/scripts/fill.py', 'print(1)');
    const asFiles = await read(MAIN, more);
    expect(asFiles).toMatchObject({ name: 'pdf-forms', description: 'Fills in forms.' });
    expect(await read(more, MAIN)).toEqual(asFiles);
    const entries = [{ name: 'pdf/' }, { name: 'pdf/scripts/fill.py', data: 'print(1)' }, MAIN_ENTRY];
    expect(await readZip(entries)).toEqual(asFiles);
    if (isRefusal(asFiles)) throw new Error('refused');
    const files = await unpacked(archives, asFiles.archive);
    expect(files).toEqual([
      { path: 'SKILL.md', bytes: MAIN.bytes },
      { path: 'scripts/fill.py', bytes: more.bytes },
    ]);
    // What is downloaded is an upload, too.
    const zip = await downloaded(archives, asFiles.archive, 'pdf-forms');
    expect(await archives.unzip(zip, SKILL_LIMITS)).toEqual(
      files.map(({ path, bytes }) => ({ path: `pdf-forms/${path}`, bytes })),
    );
    expect(await read({ path: 'x', bytes: zip })).toEqual(asFiles);
  });

  it('is packed so that tar and Python read it', async () => {
    const long = `${'long-'.repeat(30)}ä.txt`;
    const given = [
      MAIN,
      file('pdf/ä.txt', 'x'.repeat(100_000)),
      file(`pdf/deep/${long}`, '#!/bin/sh\n'),
      file('pdf/empty'),
    ];
    const packed = await read(...given);
    if (isRefusal(packed)) throw new Error('refused');
    const files = await unpacked(archives, packed.archive);
    const paths = ['SKILL.md', `deep/${long}`, 'empty', 'ä.txt'];
    expect(files.map(({ path }) => path)).toEqual(paths);
    const directory = mkdtempSync(join(tmpdir(), 'skill-'));
    writeFileSync(join(directory, 'a.tar.gz'), packed.archive);
    execFileSync('tar', ['-xzf', 'a.tar.gz'], { cwd: directory });
    for (const { path, bytes } of files) expect(readFileSync(join(directory, path))).toEqual(Buffer.from(bytes));
    expect(statSync(join(directory, 'deep', long)).mode & 0o777).toBe(0o555);
    writeFileSync(join(directory, 'a.zip'), await downloaded(archives, packed.archive, packed.name));
    const program = 'import zipfile,sys; z=zipfile.ZipFile(sys.argv[1]); print(z.testzip(), *z.namelist())';
    const said = execFileSync('python3', ['-c', program, join(directory, 'a.zip')], { encoding: 'utf8' });
    expect(said.trim()).toBe(['None', ...paths.map((path) => `pdf-forms/${path}`)].join(' '));
    // And a zip that Python writes is read.
    const write =
      'import zipfile,sys; z=zipfile.ZipFile(sys.argv[1],"w",8); f=z.open("d/SKILL.md","w",force_zip64=True); f.write(sys.argv[2].encode()); f.close(); z.writestr("d/ä",""); z.close()';
    execFileSync('python3', ['-c', write, join(directory, 'b.zip'), SKILL_MD]);
    const written = await read({ path: 'b.zip', bytes: readFileSync(join(directory, 'b.zip')) });
    rmSync(directory, { recursive: true });
    expect(written).toMatchObject({ name: 'pdf-forms' });
  });

  it('leaves out what archivers of desktop systems add', async () => {
    const litter = [file('__MACOSX/pdf/._SKILL.md'), file('pdf/.DS_Store'), file('pdf/a/.DS_Store')];
    expect(await read(...litter, MAIN)).toEqual(await read(MAIN));
  });

  it.each([
    ['no file', []],
    ['no top-level directory', [file('SKILL.md', SKILL_MD)]],
    ['two top-level directories', [MAIN, file('other/a')]],
    ['no SKILL.md at the root', [file('pdf/a/SKILL.md', SKILL_MD)]],
    ['a SKILL.md in other letters', [file('pdf/skill.md', SKILL_MD)]],
    ['the same path twice', [MAIN, file('pdf/a'), file('pdf/a')]],
    ['paths that differ in case', [MAIN, file('pdf/Ä/b'), file('pdf/ä/B')]],
    ['paths that differ in normal form', [MAIN, file('pdf/\u00e9'), file('pdf/e\u0301')]],
    ['a file that is a directory of another', [MAIN, file('pdf/a/b'), file('pdf/A')]],
    ['the directory as a file', [MAIN, file('pdf')]],
    ['too many files', [MAIN, ...Array.from({ length: 1000 }, (_, index) => file(`pdf/${index}`))]],
    ['too many bytes', [MAIN, file('pdf/a', Buffer.alloc(30_000_000))]],
    ['two zips', [file('a.zip', zipOf([MAIN_ENTRY])), file('b.zip', zipOf([MAIN_ENTRY]))]],
  ])('is refused with %s', async (_, files) => {
    expect(await read(...files)).toMatchObject({
      status: 'refused',
      message: expect.stringMatching(/^files(\.\d+)?: /),
    });
  });

  const HOSTILE_PATHS = [
    ...['../pdf/a', 'pdf/../a', 'pdf/./a', './pdf/a', '/pdf/a', '//pdf/a', 'pdf//a', 'pdf/a/..', '..', '.', ''],
    ...[
      'pdf\\..\\a',
      'pdf/a\\b',
      'C:/pdf/a',
      'c:pdf',
      'pdf/a\0',
      'pdf/a\nb',
      'pdf/\u001b[2J',
      'pdf/a\u202eb',
      'pdf/\u007f',
    ],
    ...['pdf/\u2028', 'pdf/\u200b', 'pdf/\ud800', 'pdf/\u{fffd}', `pdf/${'a'.repeat(201)}`, `pdf/${'ab/'.repeat(15)}a`],
    ...[`pdf/${`${'a'.repeat(99)}/`.repeat(5)}a`],
  ];
  it.each(HOSTILE_PATHS)('is refused with the path %j, as a file and in a zip', async (path) => {
    const refusal = { status: 'refused', message: expect.stringMatching(/^files.*(path|archive|directory)/) };
    expect(await read(MAIN, file(path))).toMatchObject(refusal);
    // A zip has no names that are no text.
    if (path.isWellFormed()) expect(await readZip([MAIN_ENTRY, { name: path, data: 'x' }])).toMatchObject(refusal);
  });

  it('unpacks only below its directory, whatever the paths are', async () => {
    const part = fc.oneof(
      fc.constantFrom('..', '.', '', '/', '\\', 'pdf', 'a', '\0', 'C:', '~'),
      fc.string({ maxLength: 5 }),
    );
    const path = fc.array(part, { maxLength: 5 }).map((parts) => parts.join('/'));
    await fc.assert(
      fc.asyncProperty(fc.array(path, { maxLength: 4 }), async (paths) => {
        const packed = await readZip([MAIN_ENTRY, ...paths.map((one) => ({ name: one, data: 'x' }))]);
        if (isRefusal(packed)) return;
        const files = await unpacked(archives, packed.archive);
        for (const one of files) expect(join('/root', one.path)).toMatch(/^\/root\/./);
        expect(
          await readUpload(
            archives,
            files.map(({ path, bytes }) => ({ path: `x/${path}`, bytes })),
          ),
        ).toEqual(packed);
      }),
      { numRuns: propertyRuns(400) },
    );
  });
});

describe('an archive', () => {
  const BOMB = Buffer.alloc(31_000_000);
  it.each<[string, ZipEntry[], { count?: number }?]>([
    ['a bomb', [MAIN_ENTRY, { name: 'pdf/a', data: BOMB }]],
    ['a bomb that claims to be small', [MAIN_ENTRY, { name: 'pdf/a', data: BOMB, claims: { size: 10 } }]],
    [
      'a bomb of many parts',
      [MAIN_ENTRY, ...[1, 2, 3, 4].map((n) => ({ name: `pdf/${n}`, data: BOMB.subarray(0, 8e6) }))],
    ],
    [
      'entries that share their data',
      [
        MAIN_ENTRY,
        ...Array.from({ length: 900 }, (_, n) => ({ name: `pdf/${n}`, data: Buffer.alloc(100_000), at: 0 })),
      ],
    ],
    ['a size that is too small', [{ ...MAIN_ENTRY, claims: { size: 3 } }]],
    ['a size that is too large', [{ ...MAIN_ENTRY, claims: { size: 3000 } }]],
    ['a packed size beyond its end', [{ ...MAIN_ENTRY, claims: { packed: 3000 } }]],
    ['bytes that are not those that were packed', [{ ...MAIN_ENTRY, claims: { crc: 1 } }]],
    ['a link', [MAIN_ENTRY, { name: 'pdf/a', data: '/etc/passwd', mode: 0o120777 }]],
    ['a device', [MAIN_ENTRY, { name: 'pdf/a', mode: 0o020666 }]],
    ['an encrypted entry', [MAIN_ENTRY, { name: 'pdf/a', data: 'x', flags: 0x0801 }]],
    ['a strongly encrypted entry', [MAIN_ENTRY, { name: 'pdf/a', data: 'x', flags: 0x0841 }]],
    ['an unknown compression', [MAIN_ENTRY, { name: 'pdf/a', data: 'x', method: 12 }]],
    ['10,000 entries', [MAIN_ENTRY, ...Array.from({ length: 10_000 }, (_, n) => ({ name: `pdf/${n}`, method: 0 }))]],
    [
      '10,000 directories',
      [MAIN_ENTRY, ...Array.from({ length: 10_000 }, (_, n) => ({ name: `pdf/${n}/`, method: 0 }))],
    ],
    ['more entries than it has', [MAIN_ENTRY], { count: 7 }],
    ['no entry', []],
    ['a name twice', [MAIN_ENTRY, MAIN_ENTRY]],
    ['another zip inside', [{ name: 'pdf.zip', data: zipOf([MAIN_ENTRY]) }]],
  ])('is refused when it has %s', async (_, entries, options) => {
    const bytes = zipOf(entries, options);
    const began = performance.now();
    expect(await read({ path: 'skill.zip', bytes })).toMatchObject({
      status: 'refused',
      message: expect.stringMatching(/^files(\.\d+)?: /),
    });
    expect(performance.now() - began).toBeLessThan(5000);
  });

  it('may be stored, deflated, or of the 64-bit kind', async () => {
    const entries = [MAIN_ENTRY, { name: 'pdf/a', data: 'x', method: 0 }, { name: 'pdf/b', data: 'y', zip64: true }];
    expect(await readZip(entries)).toMatchObject({ name: 'pdf-forms' });
  });

  it('is never read wrongly when a part of it is damaged', async () => {
    const whole = zipOf([MAIN_ENTRY, { name: 'pdf/a.txt', data: 'a text that is not short' }]);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), async (at, byte, cut) => {
        const damaged = Buffer.from(whole);
        damaged[at] = byte;
        for (const bytes of [damaged, whole.subarray(0, cut)]) {
          const packed = await read({ path: 'a.zip', bytes });
          if (isRefusal(packed)) continue;
          // A damaged name is another name, which may sort before this file.
          const main = (await unpacked(archives, packed.archive)).find(({ path }) => path === 'SKILL.md');
          expect(Buffer.from(main?.bytes ?? '').toString()).toBe(SKILL_MD);
        }
      }),
      { numRuns: propertyRuns(400) },
    );
  });
});

describe('the frontmatter', () => {
  const withHead = (head: string) => read(file('my-dir/SKILL.md', `---\n${head}\n---\nText`));
  it.each([
    ['name: a\ndescription: b', { name: 'a', description: 'b' }],
    [
      'name: "a-1"\ndescription: >-\n  two\n  lines\nlicense: MIT\nmetadata:\n  a: {b: 1}',
      { name: 'a-1', description: 'two lines' },
    ],
    ['description: b', { name: 'my-dir' }],
    [`name: ${'a'.repeat(64)}\ndescription: ${'b'.repeat(1024)}`, { description: 'b'.repeat(1024) }],
    ['name: a\r\ndescription: b\r', { name: 'a', description: 'b' }],
    ['name: a\ndescription: "a </skill> & <b>"', { description: 'a </skill> & <b>' }],
  ])('%j is taken', async (head, shows) => {
    expect(await withHead(head)).toMatchObject(shows);
  });

  it.each([
    ...[
      'name: A\ndescription: b',
      'name: a_b\ndescription: b',
      'name: a b\ndescription: b',
      'name: ../a\ndescription: b',
    ],
    ...[
      'name: -a\ndescription: b',
      'name: a--b\ndescription: b',
      'name: ä\ndescription: b',
      'name: ""\ndescription: b',
    ],
    ...[`name: ${'a'.repeat(65)}\ndescription: b`, 'name: 12\ndescription: b', 'name: [a]\ndescription: b'],
    ...['name: my-claude\ndescription: b', 'name: anthropic-a\ndescription: b', 'name: a', 'name: a\ndescription: ""'],
    ...['name: a\ndescription: "  "', `name: a\ndescription: ${'b'.repeat(1025)}`, 'name: a\ndescription: 1'],
    ...[
      'name: a\ndescription: {a: b}',
      'name: a\nname: b\ndescription: c',
      '- a',
      'a',
      '',
      'name: a\ndescription: "\\ud800"',
    ],
    ...[
      'name: [',
      `${'['.repeat(9000)}`,
      `a: &a [x,x]\n${Array.from({ length: 12 }, (_, n) => `b${n}: &b${n} [*${n ? `b${n - 1}` : 'a'},*${n ? `b${n - 1}` : 'a'}]`).join('\n')}\nname: a\ndescription: b`,
    ],
    ...[`x: ${'a'.repeat(16_384)}\nname: a\ndescription: b`, '__proto__: {name: a, description: b}'],
  ])('%j is refused', async (head) => {
    expect(await withHead(head)).toMatchObject({
      status: 'refused',
      message: expect.stringMatching(/^files: SKILL\.md must/),
    });
  });

  it.each([
    '',
    'Text',
    '----\nname: a\ndescription: b\n----\n',
    '---\nname: a\ndescription: b\n',
    Buffer.from([0xff, 0xfe]),
  ])('must be there: %j', async (text) => {
    expect(await read(file('d/SKILL.md', text))).toMatchObject({ status: 'refused' });
  });

  it('has the same name in each version of a skill', () => {
    expect(otherName('a', 'a')).toBeNull();
    expect(otherName('a', 'b')).toMatchObject({ type: 'invalid_request_error' });
  });
});

it('skills of a repository are found at its root only', () => {
  const found = ['.claude/skills/b/SKILL.md', '.claude/skills/a/SKILL.md', '.claude/skills/a/x.md'];
  const others = ['a/.claude/skills/c/SKILL.md', '.claude/skills/SKILL.md', '.claude/skills/d/e/SKILL.md'];
  const hostile = ['.claude/skills/../SKILL.md', '.claude/skills/\u202ex/SKILL.md', '/.claude/skills/f/SKILL.md'];
  expect(skillFoldersIn([...found, ...others, ...hostile])).toEqual(['.claude/skills/a', '.claude/skills/b']);
});
