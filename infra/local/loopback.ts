import { createServer, type IncomingMessage, type ServerOptions, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface LoopbackServer {
  readonly url: string;
  /** Ends the connections that are open, too. */
  close(): Promise<void>;
}

/** Answers a request. A request whose answer fails is cut off, and the server goes on. */
type Answer = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/**
 * Serves HTTP to programs on this machine only.
 * @param port 0 takes any free port
 * @throws the server's own error, for example `EADDRINUSE`
 */
export async function serveLoopback(
  answer: Answer,
  { port = 0, ...options }: ServerOptions & { readonly port?: number } = {},
): Promise<LoopbackServer> {
  const server = createServer(options, (request, response) => {
    // A response can also fail later, when its client has gone.
    response.on('error', () => response.destroy());
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** The whole body. `buffer` of `node:stream/consumers` takes twice the time: it goes through a Blob. */
export function bodyOf(message: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    message.on('data', (chunk: Buffer) => void chunks.push(chunk));
    message.once('end', () =>
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)),
    );
    message.once('error', reject);
    message.once('close', () => reject(new Error('the connection was closed within a message')));
  });
}

/**
 * The path is as it was sent, because signatures and routes are compared with the bytes. A client that takes this server
 * for a proxy sends the origin too.
 */
export function splitUrl({ url = '/' }: IncomingMessage): { readonly path: string; readonly query: URLSearchParams } {
  const [path = '/', ...query] = url.replace(/^https?:\/\/[^/?]*/i, '').split('?');
  return { path, query: new URLSearchParams(query.join('?')) };
}
