import { execFile } from 'node:child_process';
import { closeSync, constants, existsSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const makePipe = promisify(execFile);

/** A named pipe that takes the output of one command and of the background jobs that it leaves. */
export interface OutputPipe {
  readonly path: string;
  readonly stream: Socket;
  /** Called when the command has ended: the stream then ends when no process writes to it any more. */
  commandEnded(): void;
}

/**
 * A pipe instead of a file, because the server can stop reading: a process that would fill the disk is then ended by
 * SIGPIPE, also when it left the shell's job list. Programs that open `/dev/stdout` do not truncate a pipe.
 */
interface OutputPipes {
  /** Null when the disk does not allow one. */
  take(): Promise<OutputPipe | null>;
  close(): void;
}

export function outputPipes(): OutputPipes {
  let folder: string | null = null;
  let made = 0;
  /** Pipes without a writer. */
  const free: string[] = [];

  async function freePath(): Promise<string> {
    for (let path = free.pop(); path !== undefined; path = free.pop()) if (existsSync(path)) return path;
    if (folder === null || !existsSync(folder)) folder = mkdtempSync(join(tmpdir(), 'brainstem-output-'));
    const path = join(folder, String((made += 1)));
    await makePipe('mkfifo', ['-m', '600', path]);
    return path;
  }

  async function take(): Promise<OutputPipe | null> {
    try {
      const path = await freePath();
      const reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      // While this end is open the stream does not end, also before the shell has opened its own.
      const writing = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
      const stream = new Socket({ fd: reading, readable: true, writable: false });
      stream.on('error', () => undefined).once('end', () => free.push(path));
      return { path, stream, commandEnded: () => closeSync(writing) };
    } catch {
      return null;
    }
  }

  return { take, close: () => folder !== null && rmSync(folder, { recursive: true, force: true }) };
}
