/** What the proxy answers by itself. */
import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Refusal } from './exchange.ts';

/** Clients show the status line of an answer to `CONNECT` and not its body, and cut long lines. */
const MAX_LINE_CHARS = 400;

export function refuseRequest(response: ServerResponse, refusal: Refusal): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(refusal.status, lineOf(refusal), headersOf(refusal)).end(textOf(refusal));
}

/** For a `CONNECT`, and for what is no HTTP. The connection ends with it. */
export function refuseConnection(socket: Duplex, refusal: Refusal): void {
  const head = [
    `HTTP/1.1 ${refusal.status} ${lineOf(refusal)}`,
    ...Object.entries(headersOf(refusal)).map(([n, v]) => `${n}: ${v}`),
  ];
  // What the client goes on to send is read and dropped: unread bytes would reset the connection before it has the answer.
  socket.on('error', () => undefined).resume();
  socket.end(`${[...head, 'connection: close'].join('\r\n')}\r\n\r\n${textOf(refusal)}`);
  const patience = setTimeout(() => socket.destroy(), PATIENCE_MS).unref();
  socket.once('close', () => clearTimeout(patience));
}

const PATIENCE_MS = 2_000;

function headersOf(refusal: Refusal): Readonly<Record<string, string>> {
  return {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': String(Buffer.byteLength(textOf(refusal))),
    ...(refusal.status === 407 && { 'proxy-authenticate': 'Relay' }),
  };
}

function textOf({ sentence, rule }: Refusal): string {
  return `The egress proxy refused this: ${sentence} (rule ${rule}).\n`;
}

function lineOf({ sentence }: Refusal): string {
  return sentence.replaceAll(/[^ -~]/g, '?').slice(0, MAX_LINE_CHARS);
}
