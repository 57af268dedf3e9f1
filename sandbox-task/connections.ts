/** Two connections that the relay makes one: a program's, and one to the egress proxy. Either side may end its half first. */
import type { Socket } from 'node:net';
import { pipeline, type Duplex } from 'node:stream';

/** The first bytes that a side sends; null when it ends without one, or when `other` is closed before. */
export function firstBytes(side: Socket, other?: Socket): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const settle = (bytes: Buffer | null) => {
      side.off('data', settle).off('end', onEnd).off('close', onEnd).pause();
      other?.off('close', onEnd);
      resolve(bytes);
    };
    const onEnd = () => settle(null);
    // A side that has ended already does not say so again.
    if (side.destroyed || side.readableEnded || other?.destroyed) return onEnd();
    other?.on('close', onEnd);
    side.on('data', settle).on('end', onEnd).on('close', onEnd).resume();
  });
}

/** The whole of a request that has no effect, or that no server has seen while it is not answered. */
export function isRepeatable(asked: Buffer): boolean {
  return /^(?:CONNECT|GET|HEAD) [^]*\r\n\r\n$/.test(asked.toString('latin1'));
}

/** A direction that fails destroys both; one that ends does not, because the other may have bytes that are not read yet. */
export function join(client: Duplex, out: Duplex): void {
  const done = () => undefined;
  pipeline(client, out, done);
  pipeline(out, client, done);
}

export function endBoth(client: Socket, out: Socket): void {
  client.destroy();
  out.destroy();
}

/** In plain HTTP, which is an answer to `CONNECT` and to a request alike. The connection ends with it. */
export function answerWith(client: Socket, sentence: string): void {
  const text = `${sentence}\n`;
  const head = [
    `HTTP/1.1 503 ${sentence.replaceAll(/[^ -~]/g, '?')}`,
    ...['content-type: text/plain; charset=utf-8', `content-length: ${Buffer.byteLength(text)}`, 'connection: close'],
  ];
  // Unread bytes would reset the connection before the program has the answer.
  client.resume();
  client.end(`${head.join('\r\n')}\r\n\r\n${text}`);
  setTimeout(() => client.destroy(), 2000).unref();
}
