import { describe, expect, test } from 'vitest';
import { readStartOptions } from '../../../infra/local/start-options.ts';

test('without options, the service starts on port 8787 with the data folder of this directory', () => {
  expect(readStartOptions([])).toEqual({
    port: 8787,
    data: '.brainstem',
    sandbox: null,
    json: false,
    cdkOut: null,
    help: false,
  });
});

test('every option can be given', () => {
  const args = ['--port', '0', '--data', '/d', '--sandbox', 'process', '--json', '--cdk-out', 'out'];
  expect(readStartOptions(args)).toEqual({
    port: 0,
    data: '/d',
    sandbox: 'process',
    json: true,
    cdkOut: 'out',
    help: false,
  });
});

describe('refused is', () => {
  test.each([
    [['--port', 'eighty'], '--port must be a number from 0 to 65535.'],
    [['--port', '65536'], '--port must be'],
    [['--sandbox', 'chroot'], '--sandbox must be one of bwrap, docker, process.'],
    [['--nonsense'], "Unknown option '--nonsense'"],
  ])('%j', (args, message) => {
    expect(() => readStartOptions(args)).toThrow(message);
  });
});
