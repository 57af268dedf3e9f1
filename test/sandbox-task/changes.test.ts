import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ChangesResponse, CONTENT_LIMITS, type ContentEntry } from '#contract/hands.ts';
import { callOf, type Sandbox, startSandbox, withToken } from './running-sandbox.ts';

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await startSandbox();
});
afterEach(() => sandbox.close());

const OUT = '/mnt/session/outputs';
const out = (name: string) => join(sandbox.mnt, 'session/outputs', name);
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const asked: Sandbox['ask'] = (...given) => sandbox.ask(...given);
const list = async () => ChangesResponse.parse((await asked('GET', '/changes')).body);
const keep = (...kept: { path: string; sha256: string | null }[]) => asked('POST', '/changes', { kept, notes: [] });
const tell = (notes: readonly string[]) => asked('POST', '/changes', { kept: [], notes });
/** How many changes a call finds that changes nothing itself. */
const waiting = async () => (await sandbox.run('bash', { command: 'true' })).changed;

/** The bytes that came, and whether they came as a whole. */
function read(change: { path: string; sha256: string | null }, onPiece: () => void = () => undefined) {
  return new Promise<{ status: number; text: string; isWhole: boolean }>((resolve) => {
    const options = { ...sandbox.address, method: 'POST', path: '/changes/bytes', headers: withToken };
    const sent = request(options, (reply) => {
      const pieces: Buffer[] = [];
      const end = (isWhole: boolean) =>
        resolve({ status: reply.statusCode ?? 0, text: Buffer.concat(pieces).toString(), isWhole });
      reply.on('data', (piece: Buffer) => {
        pieces.push(piece);
        onPiece();
      });
      reply.on('end', () => end(true));
      reply.on('error', () => end(false));
    });
    sent.on('error', () => resolve({ status: 0, text: '', isWhole: false }));
    sent.end(JSON.stringify({ path: change.path, sha256: change.sha256 }));
  });
}

describe('what the agent writes to its outputs', () => {
  test('is told with its bytes until it is kept, and again when it changes', async () => {
    expect(await waiting()).toBeUndefined();
    const { changed } = await sandbox.run('bash', {
      command: `mkdir ${OUT}/d; printf a > ${OUT}/d/a; printf b > ${OUT}/b`,
    });
    expect(changed).toBe(2);
    const { changes } = await list();
    expect(changes.toSorted((one, other) => (one.path < other.path ? -1 : 1))).toEqual([
      { path: `${OUT}/b`, bytes: 1, sha256: sha256('b'), base: null },
      { path: `${OUT}/d/a`, bytes: 1, sha256: sha256('a'), base: null },
    ]);
    for (const change of changes) {
      expect(await read(change)).toEqual({ status: 200, text: change.path.slice(-1), isWhole: true });
      await keep(change);
    }
    expect(await waiting()).toBeUndefined();
    await sandbox.run('bash', { command: `printf c > ${OUT}/b` });
    expect(await list()).toMatchObject({ changes: [{ path: `${OUT}/b`, sha256: sha256('c'), base: sha256('b') }] });
    // What was not kept is told again.
    expect(await waiting()).toBe(1);
  });

  test('is no change when a file is touched, or written anew with the same bytes', async () => {
    writeFileSync(out('a'), 'same');
    await list();
    await keep({ path: `${OUT}/a`, sha256: sha256('same') });
    utimesSync(out('a'), new Date(), new Date());
    expect(await waiting()).toBeUndefined();
    writeFileSync(out('b'), 'same');
    renameSync(out('b'), out('a'));
    expect(await waiting()).toBeUndefined();
  });

  test('is told when it is written again within the same tick of the clock, with as many bytes', async () => {
    writeFileSync(out('a'), '1');
    await list();
    writeFileSync(out('a'), '2');
    await keep({ path: `${OUT}/a`, sha256: sha256('1') });
    expect(await waiting()).toBe(1);
  });

  test('comes as a whole or not at all when it changes while it is read, and is told after the next call', async () => {
    writeFileSync(out('a'), 'x'.repeat(8_000_000));
    const [change] = (await list()).changes;
    if (change === undefined) throw new Error('no change');
    let isChanged = false;
    const got = await read(change, () => {
      if (!isChanged) appendFileSync(out('a'), 'y');
      isChanged = true;
    });
    expect(got.isWhole).toBe(false);
    expect(await read(change)).toMatchObject({ status: 409 });
    expect(await waiting()).toBe(1);
    expect(await list()).toMatchObject({ changes: [{ bytes: 8_000_001 }] });
  });

  test('is followed through no link, and pipes are opened by nobody', async () => {
    symlinkSync('/etc/passwd', out('passwd'));
    symlinkSync('/etc', out('etc'));
    execFileSync('mkfifo', [out('pipe')]);
    writeFileSync(out('real'), 'r');
    const { changes, notes } = await list();
    expect(changes.map(({ path }) => path)).toEqual([`${OUT}/real`]);
    expect(notes).toEqual([
      expect.stringMatching(/^Not taken over, because it is no ordinary file: ("[^"]+"(, |\.)){3}$/),
    ]);
    // It is told until the model was told, and again when it is another one.
    expect((await list()).notes).toEqual(notes);
    await tell(notes);
    expect((await list()).notes).toEqual([]);
    for (let index = 0; index < 40; index += 1) symlinkSync('/etc', out(`link-${index}-${'"'.repeat(200)}`));
    const [more = '', ...others] = (await list()).notes;
    expect([others, more.length < 1000]).toEqual([[], true]);
    expect(more).toContain(' and 40 more.');
    expect(await read({ path: `${OUT}/passwd`, sha256: sha256('x') })).toMatchObject({ status: 409 });
    expect(await read({ path: `${OUT}/../../../etc/passwd`, sha256: sha256('x') })).toMatchObject({ status: 409 });
  });

  test('is not read from where a folder that became a link leads', async () => {
    const [folder, elsewhere] = [out('d'), join(sandbox.workdir, 'elsewhere')];
    mkdirSync(folder);
    writeFileSync(join(folder, 'a'), 'mine');
    const [change] = (await list()).changes;
    if (change === undefined) throw new Error('no change');
    // The very file that was told, in another place.
    renameSync(folder, elsewhere);
    symlinkSync(elsewhere, folder);
    expect(await read(change)).toMatchObject({ text: '', isWhole: false });
    expect((await list()).changes).toEqual([]);
  });

  test('has a name that can be told', async () => {
    await sandbox.run('bash', { command: `cd ${OUT}; touch $'a\\nb' $'\\xff\\xfe' 'é ü' ..x` });
    const { changes, notes } = await list();
    expect(changes.map(({ path }) => path).toSorted()).toEqual([`${OUT}/..x`, `${OUT}/é ü`]);
    const named = `"${OUT}/"`;
    expect(notes).toEqual([`Not taken over, because its name is no plain text: ${named}, ${named}.`]);
  });

  test('is named in a note when it changes each time it is read', async () => {
    writeFileSync(out('a'), 'x'.repeat(32_000_000));
    const writing = setInterval(() => appendFileSync(out('a'), 'y'), 1);
    const { changes, notes } = await list();
    clearInterval(writing);
    expect(changes).toEqual([]);
    expect(notes).toEqual([`Not taken over, because it cannot be read, or changes meanwhile: "${OUT}/a".`]);
    expect((await list()).changes).toHaveLength(1);
  });

  test('is bounded in number: the model reads what is left', async () => {
    await sandbox.run('bash', { command: `cd ${OUT}; seq 10100 | xargs touch` });
    const { changes, notes } = await list();
    expect(changes).toHaveLength(CONTENT_LIMITS.changedFiles);
    expect(notes).toEqual([
      `There are more than 10000 files in ${OUT}; the others are not taken over.`,
      '9000 changed files are more than one call hands out; they are taken over after the next calls.',
    ]);
  });

  test('survives a folder that the agent itself cannot read, and outputs that are gone', async () => {
    writeFileSync(out('a'), 'a');
    await sandbox.run('bash', { command: `mv ${OUT} ${OUT}.old` });
    expect(await list()).toEqual({ changes: [], notes: [] });
    await sandbox.run('bash', { command: `ln -s /etc ${OUT}` });
    expect((await list()).changes).toEqual([]);
    rmSync(sandbox.mnt, { recursive: true });
    expect(await sandbox.run('bash', { command: 'echo hi' })).toMatchObject({ output: 'hi' });
  });
});

describe('what the agent changes in its memory', () => {
  const folder: ContentEntry = { path: '/mnt/memory/notes', version: '1', access: 'read_write', form: 'folder' };
  const fileOf = (text: string): ContentEntry => {
    return { path: '/mnt/memory/notes/a.md', version: sha256(text), access: 'read_write', form: 'file' };
  };
  const mount = async (text: string) => {
    await sandbox.expectContents('1', [folder, fileOf(text)]);
    await sandbox.put([fileOf(text), text]);
  };

  test('is told with the version that was mounted, and a kept change needs no new manifest', async () => {
    await mount('first');
    expect(await waiting()).toBeUndefined();
    await sandbox.run('bash', {
      command: 'printf second > /mnt/memory/notes/a.md; printf n > /mnt/memory/notes/new.md',
    });
    const { changes } = await list();
    expect(changes).toHaveLength(2);
    expect(changes).toContainEqual({
      path: fileOf('').path,
      bytes: 6,
      sha256: sha256('second'),
      base: sha256('first'),
    });
    expect(changes).toContainEqual({ path: '/mnt/memory/notes/new.md', bytes: 1, sha256: sha256('n'), base: null });
    await keep(...changes);
    await sleep(60);
    const next = callOf('bash', { command: 'true' }, { contents: '1' });
    const { status, body } = await asked('POST', '/execute', next);
    expect({ status, body }).toEqual({
      status: 200,
      body: expect.not.objectContaining({ changed: expect.anything() }),
    });
  });

  test('is told when it is removed, once', async () => {
    await mount('first');
    await sandbox.run('bash', { command: 'rm /mnt/memory/notes/a.md' });
    const removed = { path: fileOf('').path, bytes: 0, sha256: null, base: sha256('first') };
    expect((await list()).changes).toEqual([removed]);
    await keep(removed);
    expect(await waiting()).toBeUndefined();
    expect((await list()).changes).toEqual([]);
  });

  test('is not told of a mount that is read-only', async () => {
    const file: ContentEntry = { ...fileOf('first'), access: 'read_only' };
    await sandbox.expectContents('1', [{ ...folder, access: 'read_only' }, file]);
    await sandbox.put([file, 'first']);
    writeFileSync(join(sandbox.mnt, 'memory/notes/new.md'), 'x');
    expect(await waiting()).toBeUndefined();
  });
});

test('an image without the folder of outputs is told to the model once', async () => {
  rmSync(join(sandbox.mnt, 'session'), { recursive: true });
  // As a folder of another user does, the file keeps the agent from making one.
  writeFileSync(join(sandbox.mnt, 'session'), '');
  expect(await waiting()).toBe(1);
  const { notes, changes } = await list();
  expect({ notes, changes }).toEqual({ notes: [expect.stringContaining(`image has no folder ${OUT}`)], changes: [] });
  await tell(notes);
  expect(await waiting()).toBeUndefined();
  rmSync(join(sandbox.mnt, 'session'));
  expect(await waiting()).toBeUndefined();
});
