import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Sandbox, startSandbox } from './running-sandbox.ts';

/** A thirty-second of what a deployed sandbox allows. */
const MAX_BYTES = 8 * 1024 * 1024;

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await startSandbox('tcp', null, { maxOutputBytes: MAX_BYTES });
});
afterEach(() => sandbox.close());

const bash = (
  command: string,
  more: Record<string, unknown> = {},
  limits: { timeoutMs?: number; call?: string } = {},
) => sandbox.run('bash', { command, ...more }, limits);

test('bash keeps directory, variables and functions for the next command', async () => {
  await bash('mkdir d; cd d; export A=1; f() { echo "f $A"; }');
  expect((await bash('pwd; f')).output).toBe(`${join(sandbox.workdir, 'd')}\nf 1`);
});

test('bash restart begins a new shell', async () => {
  await bash('A=1');
  expect((await sandbox.run('bash', { restart: true })).output).toBe('bash session restarted');
  expect((await bash('echo "A=$A"')).output).toBe('A=');
});

test.each([
  ['echo out; exit_with() { return 3; }; exit_with', 'out\n[exit status 3]'],
  ['(exit 7)', '[exit status 7]'],
  ['echo out; false', 'out\n[exit status 1]'],
  ['no-such-program 2>/dev/null', '[exit status 127]'],
  ['bash -c "kill -9 \\$\\$"', '[exit status 137]'],
  ['set +e; false | true; (set -o pipefail; false | true)', '[exit status 1]'],
])('a bash status other than 0 is an error that tells the status: %s', async (command, output) => {
  const response = await bash(command);
  expect(response.isError).toBe(true);
  expect(response.output.endsWith(output)).toBe(true);
});

test('bash needs a command', async () => {
  expect(await sandbox.run('bash', {})).toMatchObject({ output: 'bash: command is required', isError: true });
});

test.each(['echo "unclosed', 'echo )', 'if true; then', "echo 'it''s"])(
  'a bash syntax error fails at once: %s',
  async (command) => {
    await bash('A=kept');
    const response = await bash(command);
    expect(response).toMatchObject({ isError: true, output: expect.stringMatching(/syntax error|unexpected/) });
    expect((await bash('echo $A')).output).toBe('kept');
  },
);

test('bash gets quotes, here-documents, trailing backslashes and comments unchanged', async () => {
  expect((await bash(`echo 'a'"'"'b' # comment`)).output).toBe("a'b");
  expect((await bash('cat <<EOF\nline $((1+1))\nEOF')).output).toBe('line 2');
  expect((await bash('echo a \\')).output).toBe('a');
});

test('shell options that the agent sets do not disturb the results of bash', async () => {
  expect((await bash('set -x; set -C; set -u; echo() { builtin echo mine; }; true')).isError).toBe(false);
  expect(await bash('echo hi 2>/dev/null')).toMatchObject({ isError: false, output: expect.stringMatching(/mine$/) });
  expect(await bash('(exit 4) 2>/dev/null')).toMatchObject({ isError: true });
});

test('bash output has no control sequences and no trailing newlines', async () => {
  expect((await bash(String.raw`printf '\033[31mred\033[0m\n\n\n'`)).output).toBe('red');
});

test('a bash command over the agent’s own timeout fails with its output so far, and the next one works', async () => {
  const response = await bash('echo before; sleep 30', { timeout_ms: 300 });
  expect(response.isError).toBe(true);
  expect(response.output).toMatch(/^before\nbash: .*timed out after 300ms\n\[The next command gets a new shell/);
  expect(await bash('echo after')).toMatchObject({ output: 'after', isError: false });
});

test('a bash command over the limit of its call is killed, whatever timeout the agent set', async () => {
  const response = await bash('echo $$ > pid; sleep infinity', { timeout_ms: 1e12 }, { timeoutMs: 300 });
  expect(response).toMatchObject({
    isError: true,
    output: expect.stringContaining('stopped after its limit of 300 ms'),
  });
  const pid = Number(await readFile(join(sandbox.workdir, 'pid'), 'utf8'));
  expect((await bash(`while kill -0 ${pid} 2>/dev/null; do sleep 0.1; done; echo dead`)).output).toBe('dead');
});

test('a bash call that times out while it waits for its turn keeps the shell’s state', async () => {
  await bash('A=kept; mkfifo gate');
  const arrived = sandbox.nextCall();
  const first = bash('read line < gate; echo "$line"');
  await arrived;
  for (const attempt of [1, 2]) {
    const waiting = await bash(`echo ${attempt} > ran`, {}, { timeoutMs: 200 });
    expect(waiting).toMatchObject({ isError: true, output: 'the call was stopped after its limit of 200 ms' });
  }
  await writeFile(join(sandbox.workdir, 'gate'), 'opened\n');
  expect((await first).output).toBe('opened');
  expect((await bash('echo $A')).output).toBe('kept');
  expect(existsSync(join(sandbox.workdir, 'ran'))).toBe(false);
});

test.each([
  ['echo bye; exit 3', 'ended with exit status 3', true],
  ['echo bye; exit 0', 'ended with exit status 0', false],
  ['set -euo pipefail; echo bye; false | true', 'ended with exit status 1', true],
  ['set -eu; echo bye; echo "$undefined" 2>/dev/null', 'ended with exit status 1', true],
  ['echo bye; exec bash -c "exit 9"', 'ended with exit status 9', true],
  ['echo bye; kill -9 $$', 'was ended by SIGKILL', true],
])('a bash command that ends the shell tells how, and what is gone: %s', async (command, how, isError) => {
  await bash('mkdir d; cd d; A=1');
  const response = await bash(command);
  expect(response.isError).toBe(isError);
  expect(response.output).toMatch(/^bye\n/);
  expect(response.output).toContain(
    `bash: the shell ${how}\n[The next command gets a new shell: working directory and variables are gone.]`,
  );
  expect((await bash('echo "$PWD ${A-unset}"')).output).toBe(`${sandbox.workdir} unset`);
});

test('a shell option that an earlier command set ends the shell of a later one', async () => {
  await bash('set -euo pipefail');
  const response = await bash('grep nothing /dev/null; echo never');
  expect(response).toMatchObject({ isError: true, output: expect.stringContaining('ended with exit status 1') });
});

test('a bash background job does not delay its command, and the result tells where its output goes', async () => {
  const response = await bash(
    '(read < /dev/zero; echo never) & mkfifo gate; (read line < gate; echo "$line"; echo > done) & echo hi',
    {},
    { call: 'job' },
  );
  const path = join(sandbox.workdir, '.brainstem/outputs/job.txt');
  expect(response.output).toMatch(/^hi\n\[2 running in the background/);
  expect(response.output).toContain(path);
  await bash('echo from the job > gate; until [ -e done ]; do sleep 0.1; done');
  expect((await bash(`cat ${path}`)).output).toContain('from the job');
});

test('bash output over the limit is cut in the middle, and all of it is in a file that read and grep can open', async () => {
  const response = await bash('seq 1 200000', {}, { call: 'long' });
  const path = join(sandbox.workdir, '.brainstem/outputs/long.txt');
  expect(response.isError).toBe(false);
  expect(response.output.length).toBeLessThanOrEqual(100_000);
  expect(response.output.length).toBeGreaterThan(99_000);
  expect(response.output).toMatch(/^1\n2\n3\n/);
  expect(response.output).toContain('\n200000\n[Output cut');
  expect(
    response.output.endsWith(
      `It has 1288895 bytes; the whole output is in ${path} (use read with view_range, or grep).]`,
    ),
  ).toBe(true);
  expect((await sandbox.run('read', { file_path: path, view_range: [100_000, 100_001] })).output).toBe(
    '100000\n100001',
  );
  expect((await sandbox.run('grep', { pattern: '^123456$', path })).output).toContain('123456');
  expect(await readFile(path, 'utf8')).toHaveLength(1_288_895);
});

test('bash output at the limit is not cut and leaves no file', async () => {
  expect((await bash("head -c 100000 /dev/zero | tr '\\0' x")).output).toBe('x'.repeat(100_000));
  expect(existsSync(join(sandbox.workdir, '.brainstem'))).toBe(false);
});

test('a bash command that would fill the disk with its output is stopped', async () => {
  const response = await bash('head -c 10M /dev/zero; sleep infinity');
  expect(response).toMatchObject({ isError: true, output: expect.stringContaining('wrote more than 8388608 bytes') });
  expect(response.output.length).toBeLessThanOrEqual(100_000);
});

test('long output of a bash command that times out is in the result and in the file', async () => {
  const response = await bash('seq 1 200000; sleep 30', { timeout_ms: 2_000 }, { call: 'late' });
  expect(response.output.length).toBeLessThanOrEqual(100_000);
  expect(response.output).toContain('timed out');
  expect(await readFile(join(sandbox.workdir, '.brainstem/outputs/late.txt'), 'utf8')).toHaveLength(1_288_895);
});

test('a bash command that empties the working directory keeps its output', async () => {
  expect((await bash('echo hi; rm -rf .brainstem; echo bye')).output).toBe('hi\nbye');
  const long = await bash('seq 1 200000; rm -rf .brainstem');
  expect(long.output).toContain('its file was removed');
  expect((await bash('echo next')).output).toBe('next');
});

test.each([
  ['a job', 'yes a &'],
  ['a job that left the list of the shell', '(setsid yes b &)'],
  ['a job that begins after its command', '(sleep 0.2; exec yes c) & disown'],
])('the output of %s is bounded after its command, and the job that writes more is ended', async (_name, command) => {
  await bash(command, {}, { call: 'endless' });
  const path = join(sandbox.workdir, '.brainstem/outputs/endless.txt');
  const state = `until [ -e ${path} ]; do sleep 0.1; done; while pgrep -x yes >/dev/null; do sleep 0.1; done; stat -c %s ${path}`;
  const size = Number((await bash(state)).output);
  expect(size).toBeGreaterThan(MAX_BYTES / 2);
  expect(size).toBeLessThan(MAX_BYTES + 100_000);
});

test('output of an earlier background job is no part of a later command', async () => {
  await bash('mkfifo gate; (read line < gate; echo late; echo > done) & true');
  expect((await bash('echo x > gate; until [ -e done ]; do sleep 0.1; done; echo mine')).output).toBe('mine');
});

test.each([
  ['newlines before the last letter', String.raw`head -c 95000 /dev/zero | tr '\0' '\n'; echo x`],
  ['newlines in the shell’s own output', String.raw`head -c 95000 /dev/zero | tr '\0' '\n' > /proc/$$/fd/1; echo x`],
  [
    'escapes without an end',
    String.raw`for i in $(seq 9); do printf '\e'; yes ';#' | head -c 500000 | tr -d '\n'; done`,
  ],
  ['opened sequences', String.raw`yes | head -c 1000000 | sed 's/y/\x1b]/;s/$/\x1b[/' | tr -d '\n'`],
  ['single bytes', 'for i in $(seq 20000); do printf x; done; printf y >&2; seq 200000'],
])('hostile output does not block the sandbox: %s', async (_name, command) => {
  const running = bash(`${command}; echo; echo end`);
  let longestMs = 0;
  const watch = setInterval(() => {
    const now = performance.now();
    longestMs = Math.max(longestMs, now - last);
    last = now;
  }, 10);
  let last = performance.now();
  expect((await running).output).toMatch(/end(\n\[Output cut.*\])?$/s);
  clearInterval(watch);
  expect(longestMs).toBeLessThan(2000);
});

test('a program that opens /dev/stdout or /dev/stderr loses nothing that was written before', async () => {
  expect((await bash('echo a; echo b > /dev/stdout; echo c | tee /dev/stderr; echo d')).output).toBe('a\nb\nc\nc\nd');
});

test('a bash command runs although its output cannot be captured', async () => {
  await writeFile(join(sandbox.workdir, '.brainstem'), 'a file where the folder belongs');
  expect(await bash('echo hi')).toMatchObject({ output: 'hi', isError: false });
  expect(await bash('echo "no; false')).toMatchObject({ isError: true });
  const long = await bash('seq 1 200000');
  expect(long.output).toContain('200000\n[Output cut');
  expect(long.output).toMatch(/the rest is lost, it could not be written \((ENOTDIR|EEXIST)\)/);
});

test('captured bash output does not appear as a change in a git repository', async () => {
  await bash('git init -q . && seq 1 200000');
  const { stdout } = await promisify(execFile)('git', ['status', '--porcelain'], { cwd: sandbox.workdir });
  expect(stdout).toBe('');
});
