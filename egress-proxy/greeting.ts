/** The greeting: the first line that a relay sends on each connection. It names the calling sandbox and carries its token. */
import type { Socket } from 'node:net';
import { MAX_GREETING_BYTES } from '#contract/egress.ts';

export interface Caller {
  readonly caller: string;
  readonly token: string;
  /** Where the connection came from. */
  readonly address: string;
}

const GREETING_MS = 5_000;
const LINE = /^EGRESS ([!-~]{1,256}) ([!-~]{1,256})\r?$/;
const LINE_END = 0x0a;

/** Reads the line and leaves the bytes after it in the socket, which is paused. Null when there is no such line. */
export function greetingOf(socket: Socket, timeoutMs = GREETING_MS): Promise<Caller | null> {
  return new Promise((resolve) => {
    let read: Buffer = Buffer.alloc(0);
    const timer = setTimeout(() => end(null), timeoutMs);
    const onData = (chunk: Buffer): void => {
      read = Buffer.concat([read, chunk]);
      const length = read.indexOf(LINE_END);
      if (length >= 0 && length < MAX_GREETING_BYTES) return end(length);
      if (length >= 0 || read.length >= MAX_GREETING_BYTES) end(null);
    };
    const onGone = () => end(null);

    function end(length: number | null): void {
      clearTimeout(timer);
      socket.off('data', onData).off('end', onGone).off('close', onGone).pause();
      const [, caller, token] = LINE.exec(length === null ? '' : read.toString('latin1', 0, length)) ?? [];
      if (length === null || caller === undefined || token === undefined) return resolve(null);
      if (length + 1 < read.length) socket.unshift(read.subarray(length + 1));
      resolve({ caller, token, address: addressOf(socket) });
    }

    socket.on('data', onData).on('end', onGone).on('close', onGone);
  });
}

/** A socket that listens for both families tells an IPv4 address in the form of an IPv6 one. */
export function addressOf({ remoteAddress = '' }: Socket): string {
  return remoteAddress.replace(/^::ffff:(?=\d+\.)/, '');
}
