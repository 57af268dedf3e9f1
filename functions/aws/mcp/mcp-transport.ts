/** The transport by which a server is spoken to, and the era of the protocol. */
import { ProtocolError, type Client, type PriorDiscovery } from '@modelcontextprotocol/client';
import type { SentRequest } from '#aws/mcp/mcp-traffic.ts';
import { refusalOf } from '#aws/mcp/mcp-refusal.ts';

export type Transport =
  | { readonly kind: 'streamable'; readonly prior: PriorDiscovery | null }
  /** HTTP with server-sent events, from before streamable HTTP. */
  | { readonly kind: 'events' };

export const UNKNOWN_TRANSPORT: Transport = { kind: 'streamable', prior: null };
export const EVENTS_TRANSPORT: Transport = { kind: 'events' };

/** What a server of another era, or of another transport, answers to what it does not know. */
const OTHER_TRANSPORT: readonly number[] = [400, 404, 405, 406, 415];
const UNSUPPORTED_VERSION = -32022;
const METHOD_NOT_FOUND = -32601;

/** The transport and era of a client that has connected. */
export function foundTransport(client: Client, tried: Transport): Transport {
  if (tried.kind === 'events') return tried;
  const discover = client.getDiscoverResult();
  const isModern = client.getProtocolEra() === 'modern' && discover !== undefined;
  return { kind: 'streamable', prior: isModern ? { kind: 'modern', discover } : { kind: 'legacy' } };
}

/**
 * Whether the server seems to refuse the request because it speaks by another transport. A request that seems to be
 * refused may have been carried out all the same.
 */
export function isForOtherTransport(tried: Transport, error: unknown, last: SentRequest | null): boolean {
  if (last === null) return false;
  const status = last.response?.status ?? 200;
  const isRefused = OTHER_TRANSPORT.includes(status) && refusalOf(error, last) !== 'understood';
  // The answer to the opening GET is no stream.
  if (tried.kind === 'events') return last.method === 'GET' && (isRefused || status < 300);
  const isUnknown = error instanceof ProtocolError && [UNSUPPORTED_VERSION, METHOD_NOT_FOUND].includes(error.code);
  // Only the newer era begins with the request itself. A server that has answered `initialize` speaks this transport, and
  // may have acted.
  if (tried.prior?.kind !== 'modern' && last.method !== 'initialize') return false;
  return isRefused || (isUnknown && tried.prior !== null);
}
