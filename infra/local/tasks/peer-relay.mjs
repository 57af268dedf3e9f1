/**
 * Loaded before the program of a container without a network, into the same process: `node --import peer-relay.mjs?port=3129`.
 * It takes connections to these ports at any address, which can only be one of the container, because it has no other
 * network. It hands each one to the runtime, with the address that was dialled.
 */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { pipeline } from 'node:stream';
import { isMainThread } from 'node:worker_threads';

const ports = new URL(import.meta.url).searchParams.getAll('port').map(Number);

// Node.js loads it into each worker, too.
for (const port of isMainThread ? ports : []) {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const out = connect({ path: '/run/brainstem/peers.sock', allowHalfOpen: true });
    out.write(`${client.localAddress} ${port}\n`);
    pipeline(client, out, () => undefined);
    pipeline(out, client, () => undefined);
    // The program ends when it is done, as it would without this.
    for (const socket of [client, out]) socket.unref();
  });
  await once(server.listen(port, '0.0.0.0').unref(), 'listening');
}
