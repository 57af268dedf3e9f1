/** The transport for a server, and its era of the protocol. */
import { ProtocolError, ProtocolErrorCode, type Client, type PriorDiscovery } from '@modelcontextprotocol/client';
import type { SentRequest } from '#aws/mcp/mcp-traffic.ts';
import { refusalOf } from '#aws/mcp/mcp-refusal.ts';

export type Transport =
  | { readonly kind: 'streamable'; readonly prior: PriorDiscovery | null }
  /** HTTP with server-sent events, the predecessor of streamable HTTP. */
  | { readonly kind: 'events' };

export const UNKNOWN_TRANSPORT: Transport = { kind: 'streamable', prior: null };
export const EVENTS_TRANSPORT: Transport = { kind: 'events' };

/** The statuses with which a server of another era or transport answers an unknown request. */
const OTHER_TRANSPORT: readonly number[] = [400, 404, 405, 406, 415];
const UNKNOWN_CODES: readonly number[] = [
  ProtocolErrorCode.UnsupportedProtocolVersion,
  ProtocolErrorCode.MethodNotFound,
];

/** The transport and era of a client that has connected. */
export function foundTransport(client: Client, tried: Transport): Transport {
  if (tried.kind === 'events') return tried;
  const discover = client.getDiscoverResult();
  const isModern = client.getProtocolEra() === 'modern' && discover !== undefined;
  return { kind: 'streamable', prior: isModern ? { kind: 'modern', discover } : { kind: 'legacy' } };
}

/**
 * Whether the server seems to refuse the request because it uses another transport. The server may have carried out a
 * request that it seems to refuse.
 */
export function isForOtherTransport(tried: Transport, error: unknown, last: SentRequest | null): boolean {
  if (last === null) return false;
  const status = last.response?.status ?? 200;
  const isRefused = OTHER_TRANSPORT.includes(status) && refusalOf(error, last) !== 'understood';
  // The answer to the opening GET is not a stream.
  if (tried.kind === 'events') return last.method === 'GET' && (isRefused || status < 300);
  const isUnknown = error instanceof ProtocolError && UNKNOWN_CODES.includes(error.code);
  // Only the newer era begins with the request itself. A server that has answered `initialize` uses this transport, and may
  // have acted.
  if (tried.prior?.kind !== 'modern' && last.method !== 'initialize') return false;
  return isRefused || (isUnknown && tried.prior !== null);
}
