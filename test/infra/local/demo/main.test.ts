import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { readDemoOptions } from '#infra/local/demo/main.ts';

const MAIN = fileURLToPath(import.meta.resolve('#infra/local/demo/main.ts'));

/** Without an API key of this machine, so that the demo asks the stand-in. */
const ENVIRONMENT = { ...process.env, ANTHROPIC_API_KEY: '', ANTHROPIC_BASE_URL: '' };

test('the demo ends with the right answer although the harness is killed during a turn', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, '--crash'], { env: ENVIRONMENT });
  expect(stdout).toMatch(/turns  4 \(and 1 without an answer\)\n\s+tool calls  3\n/);
  expect(stdout).toContain('The harness was killed in the middle of a turn');
  expect(stdout).toContain('The session finished and its answer is right.');
});

test('the team of the demo adds up what two agents found at the same time', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, '--team'], { env: ENVIRONMENT });
  expect(stdout).toMatch(/Ada leads +│ Bo +│ Cy/);
  // Each agent works in its own lane, and its report is told in that of the agent that leads.
  expect(stdout).toMatch(/^ +[\d.]+ s +│ +→ 21536/m);
  expect(stdout).toMatch(/^ +[\d.]+ s +│ +│ → 54591/m);
  expect(stdout).toMatch(/^ +[\d.]+ s  ← (Bo|Cy) /m);
  expect(stdout).toContain('the sum of the primes below 1,000 is 76127.');
});

test('the demo ends with a sentence when it cannot start', async () => {
  const demo = promisify(execFile)(process.execPath, [MAIN, '--sandbox', 'cellar']);
  await expect(demo).rejects.toMatchObject({ code: 1, stderr: '--sandbox must be one of bwrap, docker, process.\n' });
});

test('without options the demo shows a session without a crash in the best sandbox', () => {
  expect(readDemoOptions([])).toMatchObject({ crash: false, help: false, sandbox: null });
});

test('the demo takes its options', () => {
  const options = readDemoOptions(['--crash', '--sandbox', 'process', '--model', 'claude-haiku-4-5']);
  expect(options).toEqual({ crash: true, team: false, help: false, sandbox: 'process', model: 'claude-haiku-4-5' });
});

test.each([
  [['--sandbox', 'vm'], /--sandbox must be one of/],
  [['--fast'], /--fast/],
])('the demo refuses the option %s by name', (args, message) => {
  expect(() => readDemoOptions(args)).toThrow(message);
});
