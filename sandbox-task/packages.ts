import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { MAX_ARCHIVE_BYTES } from '../functions/contract/packages.ts';

export type Taken =
  | { readonly status: 'taken' }
  /** This sandbox was started for other packages, or for none. */
  | { readonly status: 'unknown' }
  | { readonly status: 'too large' }
  | { readonly status: 'invalid'; readonly reason: string }
  /** Not all of it arrived: it can be sent again. */
  | { readonly status: 'interrupted' };

/** The packages that a sandbox is to have before it takes a call. */
export interface Packages {
  areAwaited(): boolean;
  /** Unpacks an archive. While one is unpacked, a second one is read, thrown away, and answered like the first. */
  take(archive: string, bytes: Readable): Promise<Taken>;
}

export interface AwaitedPackages {
  readonly archive: string;
  readonly dir: string;
  readonly maxBytes?: number;
}

/** Null for a sandbox without packages. */
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
  // A tar whose input ends in the middle ends too.
  if (fed !== 'fed') tar.stdin.destroy();
  const { code, said } = await tar.ended;
  if (fed !== 'fed') return { status: fed };
  // tar takes a member that points out of the folder, after a word about it, as one inside: that is no archive of ours.
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

/** Reads to the end whatever happens: a closed connection would hide the answer. Throws when the sender leaves. */
async function feed(bytes: Readable, into: Writable, maxBytes: number): Promise<'fed' | 'too large'> {
  // Not every archive is one to tar, which then stops listening; its exit says so.
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
