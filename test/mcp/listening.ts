/** The tests' HTTP servers on a free port of this machine, with web-standard requests and responses. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { AllowedHosts } from '#contract/outbound.ts';

/** The entry that lets the outbound port reach these servers. */
export const ALLOW_HERE: AllowedHosts = [
  { host: '127.0.0.1', cidr: '127.0.0.0/8', http: true },
  { host: 'localhost', cidr: '127.0.0.0/8', http: true },
  { host: 'localhost', cidr: '::1/128', http: true },
];

export interface Listening {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string;
  readonly port: number;
  /** The number of connections that were ever made to it. */
  connections(): number;
  close(): Promise<void>;
}

export async function listenHere(listener: RequestListener): Promise<Listening> {
  const server = createServer(listener);
  let connections = 0;
  server.on('connection', () => (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    connections: () => connections,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export async function bodyOf(incoming: IncomingMessage): Promise<string> {
  return Buffer.concat(await incoming.toArray()).toString('utf8');
}

interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Aborted when the client closes the connection. */
export function webRequest(
  origin: string,
  { method, path, headers, body }: Received,
  outgoing: ServerResponse,
): Request {
  const gone = new AbortController();
  outgoing.on('close', () => gone.abort());
  const init = { method, headers, signal: gone.signal };
  return new Request(`${origin}${path}`, body === '' ? init : { ...init, body });
}

export async function answerWith(outgoing: ServerResponse, response: Response): Promise<void> {
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  if (response.body === null) return void outgoing.end();
  // A client that closes the connection needs no more bytes.
  Readable.fromWeb(response.body as ReadableStream)
    .on('error', () => outgoing.destroy())
    .pipe(outgoing);
}
