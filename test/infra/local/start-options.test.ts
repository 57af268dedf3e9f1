import { describe, expect, test } from 'vitest';
import { readStartOptions } from '../../../infra/local/start-options.ts';

test('without options the service starts on port 8787 with a data folder in this directory', () => {
  expect(readStartOptions([])).toEqual({
    port: 8787,
    data: '.brainstem',
    sandbox: null,
    json: false,
    cdkOut: null,
    help: false,
  });
});

test('npm start takes each of its options', () => {
  const args = [
    '--port',
    '0',
    '--data',
    '/d',
    '--sandbox',
    'process',
    '--json',
    '--cdk-out',
    'out',
    '--sandboxes',
    '3',
    '--disk',
    '5',
  ];
  expect(readStartOptions(args)).toEqual({
    port: 0,
    data: '/d',
    sandbox: 'process',
    json: true,
    cdkOut: 'out',
    help: false,
    maxTasks: 3,
    maxDiskBytes: 5 * 1024 ** 3,
  });
});

describe('npm start refuses', () => {
  test.each([
    [['--port', 'eighty'], '--port must be a number from 0 to 65535.'],
    [['--port', '65536'], '--port must be'],
    [['--sandboxes', '0'], '--sandboxes must be a number from 1 to 99999.'],
    [['--disk', '20GB'], '--disk must be a number from 1 to 99999.'],
    [['--sandbox', 'chroot'], '--sandbox must be one of bwrap, docker, process.'],
    [['--nonsense'], "Unknown option '--nonsense'"],
  ])('the options %j', (args, message) => {
    expect(() => readStartOptions(args)).toThrow(message);
  });
});
