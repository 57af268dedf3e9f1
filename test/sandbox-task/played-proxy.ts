/** An egress proxy that a test plays: it takes greetings and answers in plain HTTP. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export const CERTIFICATE = '-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n';

/** Answers `/ca.pem`, and anything else by `answer`, which gives a body or a whole response. Keeps the greetings. */
export async function playProxy(answer: (request: string) => string) {
  const greetings: string[] = [];
  const open = new Set<Socket>();
  const server: Server = createServer((socket) => {
    open.add(socket);
    let read = '';
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      read += chunk.toString('latin1');
      if (!read.includes('\r\n\r\n')) return;
      const [greeting = '', request = ''] = read.split('\n');
      greetings.push(greeting);
      const isCertificate = request.startsWith('GET /ca.pem');
      const body = isCertificate ? CERTIFICATE : answer(request);
      const whole = `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`;
      socket.end(body.startsWith('HTTP/') ? body : whole);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    for (const socket of open) socket.destroy();
    if (!server.listening) return;
    server.close();
    await once(server, 'close');
  };
  return { address: `127.0.0.1:${port}`, greetings, close };
}
