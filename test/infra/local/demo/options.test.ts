import { expect, test } from 'vitest';
import { readDemoOptions } from '#infra/local/demo/options.ts';

test('without options the demo shows a session without a crash in the best sandbox', () => {
  expect(readDemoOptions([])).toMatchObject({ crash: false, json: false, help: false, sandbox: null });
});

test('the demo takes its options', () => {
  const options = readDemoOptions(['--crash', '--json', '--sandbox', 'process', '--model', 'claude-haiku-4-5']);
  expect(options).toEqual({ crash: true, json: true, help: false, sandbox: 'process', model: 'claude-haiku-4-5' });
});

test.each([
  [['--sandbox', 'vm'], /--sandbox must be one of/],
  [['--fast'], /--fast/],
])('the demo refuses the option %s by name', (args, message) => {
  expect(() => readDemoOptions(args)).toThrow(message);
});
