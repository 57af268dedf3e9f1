/** Two sockets that carry each other's bytes, each at the pace of the other one's reader. */
import { pipeline, type Duplex } from 'node:stream';

/** Resolves when both directions have ended. A side that has finished may go on to read. */
export async function carry(client: Duplex, upstream: Duplex): Promise<void> {
  await Promise.all([oneWay(client, upstream), oneWay(upstream, client)]);
}

/** A direction that fails ends both: `pipeline` destroys the two sockets. */
function oneWay(from: Duplex, to: Duplex): Promise<void> {
  return new Promise((resolve) => {
    pipeline(from, to, () => resolve());
  });
}
