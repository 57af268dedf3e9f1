/**
 * The answers that prove that a server did nothing for a request. By the protocol, a server answers a request that it
 * carried out with HTTP 200; but some pass on a status that their tool met, so a bare 400, 404 or 409 proves nothing. Within
 * a session the protocol gives HTTP 404 a meaning: the server knows no such session, and so did not read the request. When the
 * body answers the very request, the server did read it.
 */
import { ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/client';
import * as z from 'zod';
import type { SentRequest } from '#aws/mcp/mcp-traffic.ts';

const HEADER_MISMATCH = -32020;

/** HTTP's own refusals, besides redirects: of the client, the rate, the method, the size, the format and the headers. */
const UNREAD_STATUSES: ReadonlySet<number> = new Set([401, 403, 405, 406, 407, 413, 414, 415, 417, 421, 426, 429, 431]);
const UNREAD_CODES: ReadonlySet<number> = new Set([
  ProtocolErrorCode.ParseError,
  ProtocolErrorCode.InvalidRequest,
  ProtocolErrorCode.MethodNotFound,
  ProtocolErrorCode.UnsupportedProtocolVersion,
]);
const UNDERSTOOD_CODES: ReadonlySet<number> = new Set([
  ProtocolErrorCode.InvalidParams,
  ProtocolErrorCode.MissingRequiredClientCapability,
  HEADER_MISMATCH,
]);

const RpcError = z.object({
  jsonrpc: z.literal('2.0'),
  id: z.union([z.string(), z.number(), z.null()]).default(null),
  error: z.object({ code: z.number(), message: z.string().catch(''), data: z.unknown().optional() }),
});
/** The code that the SDK's servers give to a request of an unknown session. */
const NO_SESSION = -32001;

/**
 * `unread`: the server refused before it looked at the request itself. `understood`: the server read the request and says
 * that it is wrong. Null: the server may have carried it out.
 */
type Refusal = 'unread' | 'understood' | null;

export function refusalOf(error: unknown, last: SentRequest): Refusal {
  if (error instanceof ProtocolError) return refusalIn(error.code);
  const status = last.response?.status ?? 200;
  if (status < 300 || status >= 500) return null;
  if (status < 400 || UNREAD_STATUSES.has(status)) return 'unread';
  const told = rpcErrorIn(last.head);
  if (status === 404 && last.inSession && (told?.error.code === NO_SESSION || told === null || told.id !== last.id))
    return 'unread';
  if (told === null) return null;
  // An error without an id answers a message that the server did not read as a request.
  return refusalIn(told.error.code) ?? (told.id === null ? 'unread' : null);
}

function refusalIn(code: number): Refusal {
  if (UNREAD_CODES.has(code)) return 'unread';
  return UNDERSTOOD_CODES.has(code) ? 'understood' : null;
}

/** The JSON-RPC error in the body of an HTTP answer. */
export function rpcErrorIn(text: string): z.infer<typeof RpcError> | null {
  try {
    return RpcError.safeParse(JSON.parse(text)).data ?? null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
