import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Ports below those that the system gives to programs that ask for any port, so that none of these is taken by one. */
const FIRST = 15_000;
const COUNT = 15_000;

/** A port that a test must know before a server listens at it. */
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
