/** An HTTPS server of this machine that says what it got. Programs of a sandbox reach it through the egress proxy only. */
import { once } from 'node:events';
import { createServer as createHttp, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { bodyOf } from '#test/mcp/listening.ts';
import { certificateFor } from '#test/ports/certificate.ts';

export interface Got {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface TlsTarget {
  readonly port: number;
  /** The same without TLS. */
  readonly plainPort: number;
  /** Of the authority that signed its certificate, in PEM. */
  readonly certificate: string;
  readonly got: readonly Got[];
  /** All requests whose path is this one, or is below it. */
  about(path: string): readonly Got[];
  close(): Promise<void>;
}

/**
 * Answers each request with its headers, of which it names those that hold a placeholder, and its body, `?as=hex` in hex,
 * and a request with `?to=` with a redirect.
 */
export async function startTlsTarget(): Promise<TlsTarget> {
  const { key, cert } = certificateFor('localhost', '127.0.0.1');
  const got: Got[] = [];
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
    const body = await bodyOf(request);
    got.push({ method, url, headers, body });
    const query = new URL(url, 'http://localhost').searchParams;
    const to = query.get('to');
    if (to !== null) return void response.writeHead(302, { location: to }).end();
    response.writeHead(200, { 'content-type': 'application/json', 'x-echo': headers['x-key'] ?? '' });
    const told = query.get('as') === 'hex' ? Buffer.from(body).toString('hex') : body;
    const withPlaceholder = Object.keys(headers).filter((name) => headers[name]?.startsWith('placeholder_') === true);
    response.end(JSON.stringify({ headers, withPlaceholder, body: told }));
  }
  const listener = (request: IncomingMessage, response: ServerResponse): void =>
    void answer(request, response).catch(() => response.destroy());
  const servers: readonly [Server, Server] = [createHttps({ key, cert }, listener), createHttp(listener)];
  await Promise.all(servers.map((server) => once(server.listen(0, '127.0.0.1'), 'listening')));
  const [port = 0, plainPort = 0] = servers.map((server) => (server.address() as AddressInfo).port);
  return {
    ...{ port, plainPort, certificate: cert, got },
    about: (path) =>
      got.filter(({ url }) => url === path || (/^[/?]/.test(url.slice(path.length)) && url.startsWith(path))),
    async close() {
      for (const server of servers) server.closeAllConnections();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}
