import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lockData } from '../../../infra/local/data-lock.ts';

let data: string;

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'brainstem-lock-'));
});
afterEach(() => rmSync(data, { recursive: true }));

describe('a data folder', () => {
  test('that a living process owns is refused, naming the process and the option', () => {
    lockData(data);
    expect(() => lockData(data)).toThrow(`process ${process.pid}`);
    expect(() => lockData(data)).toThrow('--data');
  });

  test('is free again after its release', () => {
    lockData(data).release();
    expect(existsSync(join(data, 'runtime.pid'))).toBe(false);
    lockData(data);
  });

  test('of a dead process is taken over, also when its id was given to another', async () => {
    const child = spawn(process.execPath, ['--version']);
    await once(child, 'exit');
    writeFileSync(join(data, 'runtime.pid'), JSON.stringify({ pid: child.pid, startedAt: '1' }));
    lockData(data).release();
    writeFileSync(join(data, 'runtime.pid'), JSON.stringify({ pid: process.pid, startedAt: '1' }));
    lockData(data);
    expect(readFileSync(join(data, 'runtime.pid'), 'utf8')).toContain(`"pid":${process.pid}`);
  });

  test('with an unreadable lock file is taken over', () => {
    writeFileSync(join(data, 'runtime.pid'), '{"pi');
    lockData(data);
  });
});
