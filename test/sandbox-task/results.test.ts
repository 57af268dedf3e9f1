import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { callOf, type Sandbox, send, startSandbox, withToken } from './running-sandbox.ts';

let sandbox: Sandbox;
beforeEach(async () => {
  sandbox = await startSandbox();
});
afterEach(() => sandbox.close());

const outputs = () => join(sandbox.workdir, '.brainstem/outputs');
const put = (call: string, body: string | Buffer, headers: Record<string, string> = withToken) =>
  send(sandbox.address, { method: 'PUT', path: `/results/${call}`, headers, body });
const post = (call: object) =>
  send(sandbox.address, { method: 'POST', path: '/execute', headers: withToken, body: JSON.stringify(call) });
const reading = (...results: string[]) => callOf('bash', { command: 'cat .brainstem/outputs/sevt_a.txt' }, { results });

test('a call that needs earlier results is answered with those that are missing, and runs after they came', async () => {
  const call = reading('sevt_a', 'sevt_b');
  const lacking = (calls: string[]) => ({ status: 425, body: { error: 'results_awaited', calls } });
  expect(await post(call)).toMatchObject(lacking(['sevt_a', 'sevt_b']));
  expect(await put('sevt_a', 'of a')).toEqual({ status: 200, body: { status: 'kept' } });
  expect(await post(call)).toMatchObject(lacking(['sevt_b']));
  await put('sevt_b', 'of b');
  expect(await post(call)).toMatchObject({ status: 200, body: { output: 'of a', served: 'ran' } });
});

test('a result is stored unchanged, to the last of many multi-byte characters', async () => {
  const text = `${'é😀\u2028'.repeat(250_000)}\n\n`;
  expect(await put('sevt_a', text)).toMatchObject({ status: 200 });
  expect(await readFile(join(outputs(), 'sevt_a.txt'), 'utf8')).toBe(text);
  expect(await readdir(outputs())).toEqual(['sevt_a.txt']);
});

test('a result that the agent removed is requested again by a later call, but not by the one that removed it', async () => {
  await put('sevt_a', 'of a');
  const removing = callOf('bash', { command: 'rm -r .brainstem; echo gone' }, { results: ['sevt_a'] });
  expect(await post(removing)).toMatchObject({ status: 200, body: { output: 'gone' } });
  expect(await post(removing)).toMatchObject({ status: 200, body: { output: 'gone', served: 'replayed' } });
  expect(await post(reading('sevt_a'))).toMatchObject({ status: 425 });
});

test('a result that breaks off leaves no file', async () => {
  await mkdir(outputs(), { recursive: true });
  const options = { method: 'PUT', path: '/results/sevt_a', headers: { ...withToken, 'content-length': 1000 } };
  const sent = request({ ...sandbox.address, ...options });
  sent.on('error', () => undefined);
  const taken = sandbox.nextCall();
  sent.write('half of it');
  await taken;
  const ended = sandbox.nextCall();
  sent.destroy();
  await ended;
  expect(await readdir(outputs())).toEqual([]);
  expect(await post(reading('sevt_a'))).toMatchObject({ status: 425 });
});

test('a result that cannot be written is refused, and commands run without it', async () => {
  await writeFile(join(sandbox.workdir, '.brainstem'), '');
  expect(await post(reading('sevt_a'))).toMatchObject({ status: 425 });
  expect(await put('sevt_a', 'of a')).toMatchObject({ status: 507, body: { error: 'result_not_kept' } });
  expect(await post(callOf('bash', { command: 'echo hi' }))).toMatchObject({ status: 200, body: { output: 'hi' } });
  await rm(join(sandbox.workdir, '.brainstem'));
  await mkdir(join(outputs(), 'sevt_a.txt'), { recursive: true });
  expect(await put('sevt_a', 'of a')).toMatchObject({ status: 507 });
  expect(await readdir(outputs())).toEqual(['sevt_a.txt']);
});

test.each(['..%2F..%2Fescaped', '..', '%2e%2e'])(
  'the call id %s cannot choose the folder of a result',
  async (call) => {
    await put(call, 'x');
    expect(await readdir(outputs())).toEqual([expect.stringMatching(/^[0-9a-f]{64}\.txt$/)]);
    expect(await readdir(sandbox.workdir)).toEqual(['.brainstem']);
  },
);

test('a result needs the token, and has the size limit of any body', async () => {
  expect(await put('sevt_a', 'x', {})).toMatchObject({ status: 401 });
  expect(await put('sevt_a', Buffer.alloc(16 * 1024 * 1024 + 1, 'x'))).toMatchObject({ status: 413 });
});

test('log lines about a result name the call and hold none of its text', async () => {
  await put('sevt_logged', 'canary');
  const lines = sandbox.lines.filter((line) => line.includes('sevt_logged'));
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toContain('canary');
});
