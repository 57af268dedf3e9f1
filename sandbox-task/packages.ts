import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { MAX_ARCHIVE_BYTES } from '../functions/contract/packages.ts';

export type Taken =
  | { readonly status: 'taken' }
  /** The sandbox was started for other packages, or for none. */
  | { readonly status: 'unknown' }
  | { readonly status: 'too large' }
  | { readonly status: 'invalid'; readonly reason: string }
  /** Only a part arrived; it can be sent again. */
  | { readonly status: 'interrupted' };

/** The packages that a sandbox needs before it takes a call. */
export interface Packages {
  areAwaited(): boolean;
  /** Unpacks an archive. A second request during that time is read, dropped, and answered like the first. */
  take(archive: string, bytes: Readable): Promise<Taken>;
}

export interface AwaitedPackages {
  readonly archive: string;
  readonly dir: string;
  readonly maxBytes?: number;
}

/** `awaited` is null for a sandbox without packages. */
export function awaitPackages(awaited: AwaitedPackages | null): Packages {
  if (awaited === null) return { areAwaited: () => false, take: async () => ({ status: 'unknown' }) };
  const { archive: expected, dir, maxBytes = MAX_ARCHIVE_BYTES } = awaited;
  let taking: Promise<Taken> | null = null;
  let isTaken = false;

  async function takeFirst(bytes: Readable): Promise<Taken> {
    const taken = await unpack(bytes, dir, maxBytes);
    isTaken = taken.status === 'taken';
    taking = null;
    return taken;
  }

  async function take(archive: string, bytes: Readable): Promise<Taken> {
    if (archive !== expected) return { status: 'unknown' };
    if (isTaken) return { status: 'taken' };
    if (taking !== null) {
      bytes.resume();
      return taking;
    }
    taking = takeFirst(bytes);
    return taking;
  }

  return { areAwaited: () => !isTaken, take };
}

async function unpack(bytes: Readable, dir: string, maxBytes: number): Promise<Taken> {
  await mkdir(dir, { recursive: true });
  const tar = startTar(dir);
  const fed = await feed(bytes, tar.stdin, maxBytes).catch(() => 'interrupted' as const);
  // tar ends when its input is destroyed.
  if (fed !== 'fed') tar.stdin.destroy();
  const { code, said } = await tar.ended;
  if (fed !== 'fed') return { status: fed };
  // tar reports a member that points out of the folder and then extracts it inside. No build makes such an archive.
  if (code !== 0 || said !== '') return { status: 'invalid', reason: said.split('\n')[0] ?? `tar ended with ${code}` };
  return { status: 'taken' };
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

/** Always reads to the end, because a closed connection would lose the response. Throws when the sender disconnects. */
async function feed(bytes: Readable, into: Writable, maxBytes: number): Promise<'fed' | 'too large'> {
  // tar stops reading when the bytes are no archive; its exit code then tells.
  into.on('error', () => undefined);
  let length = 0;
  for await (const chunk of bytes as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) into.destroy();
    if (!into.destroyed && !into.write(chunk)) await drained(into);
  }
  into.end();
  return length > maxBytes ? 'too large' : 'fed';
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
