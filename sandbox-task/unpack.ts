import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import type { Writable } from 'node:stream';

/**
 * Unpacks an archive into a folder. Null when that was done, else why not.
 *
 * @throws when the bytes do not come as a whole
 */
export async function unpack(bytes: AsyncIterable<Buffer>, dir: string): Promise<string | null> {
  await mkdir(dir, { recursive: true });
  const tar = startTar(dir);
  try {
    await feed(bytes, tar.stdin);
  } catch (error) {
    // tar ends when its input is destroyed.
    tar.stdin.destroy();
    await tar.ended;
    throw error;
  }
  const { code, said } = await tar.ended;
  // tar reports a member that points out of the folder and then extracts it inside. No build makes such an archive.
  return code === 0 && said === '' ? null : (said.split('\n')[0] ?? `tar ended with ${code}`);
}

function startTar(dir: string) {
  const options = ['--extract', '--gzip', '--no-same-owner', '--delay-directory-restore', '--warning=no-timestamp'];
  const tar = spawn('tar', [...options, '--directory', dir], {
    stdio: ['pipe', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' },
  });
  let said = '';
  tar.stderr.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
  const ended = once(tar, 'close').then(
    ([code]: unknown[]) => ({ code, said: said.trim() }),
    (error: Error) => ({ code: null, said: error.message }),
  );
  return { stdin: tar.stdin, ended };
}

/** tar stops reading when the bytes are no archive; its exit code then tells. The rest is read all the same. */
async function feed(bytes: AsyncIterable<Buffer>, into: Writable): Promise<void> {
  into.on('error', () => undefined);
  for await (const chunk of bytes) if (!into.destroyed && !into.write(chunk)) await drained(into);
  into.end();
}

function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.once('drain', done).once('close', done);
  });
}
