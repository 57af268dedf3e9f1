/**
 * Ids of requests to MCP servers. The SDK counts the requests of each client from 0, and this service uses one client per
 * call. A call that is made again after people have acted would have the id of the first one, which the protocol forbids.
 */
import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/client';

/** More requests than one client makes. */
const ROOM = 1000;
/** For servers that hold ids in 32 bits. */
const STARTS = Math.floor(2 ** 31 / ROOM) - 1;

/** On the wire, ids begin at a number that the time gives; the SDK goes on counting from 0. */
export function countRequestsFrom(transport: Transport, nowMs: number): void {
  const first = (nowMs % STARTS) * ROOM;
  const send = transport.send.bind(transport);
  transport.send = (message, options) => send(sent(message, first), options);
  let handler: Transport['onmessage'];
  Object.defineProperty(transport, 'onmessage', {
    get: () => handler,
    set(given: Transport['onmessage']) {
      // The SDK may set the handler that it has read here: it must not be wrapped twice.
      if (given === handler) return;
      handler = given && ((message, extra) => given(received(message, first), extra));
    },
  });
}

function sent(message: JSONRPCMessage, first: number): JSONRPCMessage {
  if (!('method' in message)) return message;
  if ('id' in message) return typeof message.id === 'number' ? { ...message, id: message.id + first } : message;
  const about = message.params?.['requestId'];
  if (message.method !== 'notifications/cancelled' || typeof about !== 'number') return message;
  return { ...message, params: { ...message.params, requestId: about + first } };
}

function received(message: JSONRPCMessage, first: number): JSONRPCMessage {
  if ('method' in message || typeof message.id !== 'number') return message;
  return { ...message, id: message.id - first };
}
