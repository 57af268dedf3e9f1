import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below the ports that systems give to whoever asks for any, so that nobody is given it before it is listened at. */
const FIRST = 15_000;
const COUNT = 15_000;

/** For who must be told a port before anybody listens there. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + randomInt(COUNT);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((found, failed) => {
    const probe = createServer();
    probe
      .once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? found(false) : failed(error)))
      .listen(port, '127.0.0.1', () => probe.close(() => found(true)));
  });
}
