/** The server on a disk that programs fill: the model reads that it is full, and goes on when it has made room. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { CONTENT_LIMITS, type ContentEntry, ChangesResponse } from '#contract/hands.ts';
import { callOf, execute, requestsTo, spawnSandbox, TAKEN, TOKEN_SHA256 } from './running-sandbox.ts';

const DISK_BYTES = 32 * 1024 * 1024;
const FULL = /Wrote only|No space left on device/;

const apart = ['bwrap', '--dev-bind', '/', '/', '--unshare-pid', '--proc', '/proc', '--die-with-parent'];

function hasNamespaces(): boolean {
  try {
    execFileSync('bwrap', [...apart.slice(1), '--', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** All that the server and its programs write is on one small disk. */
async function started() {
  const folder = mkdtempSync(join(tmpdir(), 'full-disk-'));
  const [workdir, mnt] = [join(folder, 'workspace'), join(folder, 'mnt')];
  const sandbox = spawnSandbox(
    {
      SANDBOX_TOKEN_SHA256: TOKEN_SHA256,
      SANDBOX_LISTEN: '127.0.0.1:0',
      SANDBOX_WORKDIR: workdir,
      SANDBOX_MNT: mnt,
      TMPDIR: folder,
    },
    { before: [...apart, '--size', `${DISK_BYTES}`, '--tmpfs', folder, '--dir', `${mnt}/session/outputs`, '--'] },
  );
  onTestFinished(async () => {
    sandbox.child.kill('SIGKILL');
    await sandbox.exitCode;
    rmSync(folder, { recursive: true, force: true });
  });
  const address = await sandbox.listening();
  const requests = requestsTo(address);
  const run = (name: Parameters<typeof callOf>[0], input: Record<string, unknown>) =>
    execute(address, callOf(name, input));
  return {
    ...requests,
    run,
    bash: (command: string) => run('bash', { command }),
    told: async () => ChangesResponse.parse((await requests.ask('GET', '/changes')).body),
  };
}

test.skipIf(!hasNamespaces())(
  'an archive that unpacks to more than the disk has is told, and so is all that follows',
  async () => {
    const { run, bash, told, expectContents, put } = await started();
    const file: ContentEntry = { path: '/mnt/session/uploads/a.csv', version: '1', access: 'read_only', form: 'file' };
    const bytes = Buffer.alloc(1024 * 1024, 'a');
    await bash('echo small > a.txt; truncate -s 64M big && tar czf bomb.tgz big && rm big');
    const unpacked = await bash('cd /mnt/session/outputs; tar xzf /workspace/bomb.tgz');
    expect(unpacked).toMatchObject({ isError: true, output: expect.stringMatching(FULL) });
    expect(await bash('echo "goes on"')).toMatchObject({ isError: false, output: 'goes on' });
    expect(await run('read', { file_path: 'a.txt' })).toMatchObject({ isError: false });
    expect(await run('write', { file_path: 'b.txt', content: 'b'.repeat(100_000) })).toMatchObject({
      isError: true,
      output: 'write: b.txt: no space left on device',
    });
    const long = await bash('yes | head -c 1000000');
    expect(long).toMatchObject({ isError: false, output: expect.stringContaining('1000000 bytes; the rest is lost') });
    await expectContents('1', [file]);
    expect(await put([file, bytes])).toMatchObject({
      body: { refused: [{ path: file.path, reason: 'the disk is full' }] },
    });
    await bash('rm /mnt/session/outputs/*');
    expect(await put([file, bytes])).toEqual(TAKEN);
    expect(await bash('echo out > /mnt/session/outputs/o; wc -c < /mnt/session/uploads/a.csv')).toMatchObject({
      output: String(bytes.length),
      changed: 1,
    });
    // A file with a hole is as large as it says, and takes no room.
    await bash(`truncate -s ${CONTENT_LIMITS.fileBytes + 1} /mnt/session/outputs/huge`);
    expect(await told()).toMatchObject({
      changes: [{ path: '/mnt/session/outputs/o' }],
      notes: [
        `Not taken over, because it has more than ${CONTENT_LIMITS.fileBytes} bytes: "/mnt/session/outputs/huge".`,
      ],
    });
  },
);
