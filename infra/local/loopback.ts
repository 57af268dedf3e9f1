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

/**
 * The path is as it was sent, because signatures and routes are compared with the bytes. A client that takes this server
 * for a proxy sends the origin too.
 */
export function splitUrl({ url = '/' }: IncomingMessage): { readonly path: string; readonly query: URLSearchParams } {
  const [path = '/', ...query] = url.replace(/^https?:\/\/[^/?]*/i, '').split('?');
  return { path, query: new URLSearchParams(query.join('?')) };
}
