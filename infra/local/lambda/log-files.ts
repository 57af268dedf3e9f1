import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';

/** One file per function (or container), appended to: what CloudWatch Logs would hold. */
export interface LogFiles {
  write(name: string, text: string | Uint8Array): void;
  close(): Promise<void>;
}

export function openLogFiles(folder: string): LogFiles {
  mkdirSync(folder, { recursive: true });
  const files = new Map<string, WriteStream>();
  let closed = false;
  const open = (name: string): WriteStream => {
    const file = createWriteStream(join(folder, `${name}.log`), { flags: 'a' });
    // A full disk must not stop the service; the lines are lost, as the console shows.
    file.on('error', (error) => process.stderr.write(`Log file ${name}.log: ${error.message}\n`));
    files.set(name, file);
    return file;
  };
  return {
    write(name, text) {
      if (!closed) (files.get(name) ?? open(name)).write(text);
    },
    async close() {
      closed = true;
      await Promise.all([...files.values()].map((file) => new Promise<void>((resolve) => file.end(resolve))));
    },
  };
}
