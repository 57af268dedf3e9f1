import { describe, expect, test } from 'vitest';
import { chooseSandbox } from '../../../../infra/local/tasks/choose-sandbox.ts';
import type { Usable } from '../../../../infra/local/tasks/runner.ts';

const works = async (): Promise<Usable> => ({ usable: true });
const fails = async (): Promise<Usable> => ({ usable: false, reason: 'it is missing' });

describe('the kind of sandbox', () => {
  test.each([
    ['bubblewrap where it works', { bwrap: works, docker: works }, 'bwrap'],
    ['Docker where bubblewrap does not', { bwrap: fails, docker: works }, 'docker'],
    ['plain processes where nothing does and a script is the model', { bwrap: fails, docker: fails }, 'process'],
  ])('is %s', async (_what, probes, expected) => {
    expect(await chooseSandbox({ asked: null, realModel: false }, probes)).toBe(expected);
  });

  test('is never plain processes with a real model, unless they are chosen by name', async () => {
    const probes = { bwrap: fails, docker: fails };
    await expect(chooseSandbox({ asked: null, realModel: true }, probes)).rejects.toThrow('--sandbox process');
    expect(await chooseSandbox({ asked: 'process', realModel: true }, probes)).toBe('process');
  });

  test('is an error when the chosen kind does not work', async () => {
    await expect(chooseSandbox({ asked: 'bwrap', realModel: false }, { bwrap: fails, docker: works })).rejects.toThrow(
      'it is missing',
    );
  });
});
