import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lockData } from '../../../infra/local/data-lock.ts';

let data: string;

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'brainstem-lock-'));
});
afterEach(() => rmSync(data, { recursive: true }));

describe('the lock of a data folder', () => {
  test('refuses a second process, and names the first one and the option --data', () => {
    lockData(data);
    expect(() => lockData(data)).toThrow(`process ${process.pid}`);
    expect(() => lockData(data)).toThrow('--data');
  });

  test('closes the folder to other users, and leaves one with other things in it alone', () => {
    const modeOf = (folder: string): number => statSync(folder).mode & 0o777;
    const made = join(data, 'deep', 'data');
    lockData(made).release();
    expect(modeOf(made)).toBe(0o700);
    const earlier = join(data, 'earlier');
    mkdirSync(earlier, { mode: 0o755 });
    writeFileSync(join(earlier, 'dynamodb.sqlite'), '');
    lockData(earlier);
    expect(modeOf(earlier)).toBe(0o700);
    const shared = join(data, 'shared');
    mkdirSync(join(shared, 'homework'), { recursive: true });
    chmodSync(shared, 0o755);
    lockData(shared);
    expect(modeOf(shared)).toBe(0o755);
  });

  test('is free after its release', () => {
    lockData(data).release();
    expect(existsSync(join(data, 'runtime.pid'))).toBe(false);
    lockData(data);
  });

  test('is taken over from a dead process, also when its process id belongs to another one', async () => {
    const child = spawn(process.execPath, ['--version']);
    await once(child, 'exit');
    writeFileSync(join(data, 'runtime.pid'), JSON.stringify({ pid: child.pid, startedAt: '1' }));
    lockData(data).release();
    writeFileSync(join(data, 'runtime.pid'), JSON.stringify({ pid: process.pid, startedAt: '1' }));
    lockData(data);
    expect(readFileSync(join(data, 'runtime.pid'), 'utf8')).toContain(`"pid":${process.pid}`);
  });

  test('is taken over when its file is unreadable', () => {
    writeFileSync(join(data, 'runtime.pid'), '{"pi');
    lockData(data);
  });
});
