/** How a server is spoken to: in which era of the protocol, over which of its transports. */
import { ProtocolError, type Client, type PriorDiscovery } from '@modelcontextprotocol/client';
import type { Sighting } from '#aws/mcp/mcp-exchange.ts';
import { refusalOf } from '#aws/mcp/mcp-refusal.ts';

export type Way =
  | { readonly transport: 'streamable'; readonly prior: PriorDiscovery | null }
  /** HTTP with server-sent events, from before streamable HTTP. */
  | { readonly transport: 'events' };

export const UNKNOWN_WAY: Way = { transport: 'streamable', prior: null };
export const EVENTS_WAY: Way = { transport: 'events' };

/** What a server of another era, or of another transport, answers to what it does not know. */
const NOT_MY_WAY: readonly number[] = [400, 404, 405, 406, 415];
const UNSUPPORTED_VERSION = -32022;
const METHOD_NOT_FOUND = -32601;

/** What has turned out. */
export function wayOf(client: Client, way: Way): Way {
  if (way.transport === 'events') return way;
  const discover = client.getDiscoverResult();
  const isModern = client.getProtocolEra() === 'modern' && discover !== undefined;
  return { transport: 'streamable', prior: isModern ? { kind: 'modern', discover } : { kind: 'legacy' } };
}

/** Whether it seems to be refused because the server is spoken to in another way. What seems so may have been carried out. */
export function isAnotherWay(way: Way, error: unknown, last: Sighting | null): boolean {
  if (last === null) return false;
  const status = last.response?.status ?? 200;
  const isRefused = NOT_MY_WAY.includes(status) && refusalOf(error, last) !== 'understood';
  // What was opened is no stream.
  if (way.transport === 'events') return last.method === 'GET' && (isRefused || status < 300);
  const isUnknown = error instanceof ProtocolError && [UNSUPPORTED_VERSION, METHOD_NOT_FOUND].includes(error.code);
  // Only the newer era begins with the request itself. Whoever has shaken hands speaks this way, and may have acted.
  if (way.prior?.kind !== 'modern' && last.method !== 'initialize') return false;
  return isRefused || (isUnknown && way.prior !== null);
}
