import { readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Sandbox, startSandbox } from './running-sandbox.ts';

describe.each(['tcp', 'socket'] as const)('the six tools over %s', (listen) => {
  let sandbox: Sandbox;
  beforeEach(async () => {
    sandbox = await startSandbox(listen);
  });
  afterEach(() => sandbox.close());

  test('bash runs a command', async () => {
    const response = await sandbox.run('bash', { command: 'echo hi; echo there >&2' });
    expect(response).toMatchObject({ output: 'hi\nthere', isError: false, served: 'ran' });
  });

  test('write makes a file with its folders, and read returns it', async () => {
    const written = await sandbox.run('write', { file_path: 'src/a.txt', content: 'one\ntwo\nthree' });
    expect(written).toMatchObject({ output: 'wrote 13 bytes to src/a.txt', isError: false });
    expect((await sandbox.run('read', { file_path: 'src/a.txt' })).output).toBe('one\ntwo\nthree');
    expect((await sandbox.run('read', { file_path: 'src/a.txt', view_range: [2, 2] })).output).toBe('two');
  });

  test('edit replaces text', async () => {
    await writeFile(join(sandbox.workdir, 'a.txt'), 'one two');
    const edited = await sandbox.run('edit', { file_path: 'a.txt', old_string: 'two', new_string: 'three' });
    expect(edited).toMatchObject({ output: 'edited a.txt (1 replacement(s))', isError: false });
    expect(await readFile(join(sandbox.workdir, 'a.txt'), 'utf8')).toBe('one three');
  });

  test('glob finds files by name', async () => {
    await writeFile(join(sandbox.workdir, 'a.txt'), '');
    await writeFile(join(sandbox.workdir, 'b.md'), '');
    expect((await sandbox.run('glob', { pattern: '**/*.txt' })).output).toBe(join(sandbox.workdir, 'a.txt'));
  });

  test('grep finds lines', async () => {
    await writeFile(join(sandbox.workdir, 'a.txt'), 'one\ntwo\n');
    const found = await sandbox.run('grep', { pattern: 't.o' });
    expect(found.output.trimEnd()).toBe(`${join(sandbox.workdir, 'a.txt')}:2:two`);
  });
});

describe('the sandbox tools keep to their limits:', () => {
  let sandbox: Sandbox;
  beforeEach(async () => {
    vi.stubEnv('SANDBOX_TOKEN_SHA256', 'canary-of-the-server');
    vi.stubEnv('SOME_SETTING', 'canary-of-the-server');
    sandbox = await startSandbox();
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    return sandbox.close();
  });

  test('commands see a clean environment', async () => {
    const { output } = await sandbox.run('bash', { command: 'env' });
    const names = output.split('\n').map((line) => line.split('=')[0]);
    const offered = ['HOME', 'LANG', 'PATH', 'PWD', 'SHELL', 'TERM'];
    const madeByBash = new Set(['OLDPWD', 'PS1', 'PS2', 'SHLVL', '_']);
    expect(names.filter((name) => !madeByBash.has(name ?? '')).toSorted()).toEqual(offered);
    expect(output).not.toContain('canary-of-the-server');
  });

  test('commands start in the working directory', async () => {
    expect((await sandbox.run('bash', { command: 'pwd' })).output).toBe(sandbox.workdir);
  });

  test('file tools stay within the working directory', async () => {
    await symlink('/etc', join(sandbox.workdir, 'link'));
    for (const file_path of ['/etc/hostname', '../outside', 'link/hostname']) {
      const response = await sandbox.run('read', { file_path });
      expect(response.isError).toBe(true);
      expect(response.output).toContain("outside the session's working directory");
    }
  });
});

test('the tools use the session’s name for a working directory that lies elsewhere', async () => {
  const sandbox = await startSandbox();
  await sandbox.run('write', { file_path: '/workspace/notes/a.txt', content: 'kept in /workspace/notes' });
  const there = 'cd /tmp && cat /workspace/notes/a.txt && ls -d /other/workspace 2>&1';
  expect((await sandbox.run('bash', { command: there })).output).toMatch(
    /^kept in \/workspace\/notes.*'\/other\/workspace'/s,
  );
  const search = await sandbox.run('grep', { pattern: 'kept in /workspace', path: '/workspace' });
  expect(search.output).toContain('notes/a.txt');
  await sandbox.close();
});

describe('the result of a sandbox tool', () => {
  let sandbox: Sandbox;
  beforeEach(async () => {
    sandbox = await startSandbox();
  });
  afterEach(() => sandbox.close());

  test('is the text of the failure when the tool fails', async () => {
    const response = await sandbox.run('read', { file_path: 'missing.txt' });
    expect(response).toMatchObject({ output: 'read: missing.txt: no such file or directory', isError: true });
  });

  test('names the field when an input has a wrong type', async () => {
    const response = await sandbox.run('bash', { command: 5 });
    expect(response).toMatchObject({ output: expect.stringMatching(/^bash: command: /), isError: true });
    expect((await sandbox.run('read', { file_path: 5 })).isError).toBe(true);
  });

  test('says that it is empty when it is', async () => {
    expect((await sandbox.run('bash', { command: 'true' })).output).toBe('(no output)');
    await writeFile(join(sandbox.workdir, 'empty'), '');
    expect((await sandbox.run('read', { file_path: 'empty' })).output).toBe('(no output)');
  });

  test('is the right one when calls run at the same time', async () => {
    const numbers = [1, 2, 3, 4, 5, 6];
    const outputs = await Promise.all([
      ...numbers.map((n) => sandbox.run('bash', { command: `echo ${n}` })),
      ...numbers.map((n) => sandbox.run('write', { file_path: `f${n}`, content: 'x'.repeat(n) })),
    ]);
    expect(outputs.map((response) => response.output)).toEqual([
      ...numbers.map(String),
      ...numbers.map((n) => `wrote ${n} bytes to f${n}`),
    ]);
  });
});
