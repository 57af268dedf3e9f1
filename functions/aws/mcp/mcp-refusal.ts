/**
 * Which answers prove that nothing was done for a request. By the protocol, what was carried out is answered with HTTP
 * 200; but servers let statuses of what their tools met slip out, so that a bare 400, 404 or 409 proves nothing.
 */
import { ProtocolError } from '@modelcontextprotocol/client';
import * as z from 'zod';
import type { SentRequest } from '#aws/mcp/mcp-traffic.ts';

const PARSE_ERROR = -32700;
const INVALID_REQUEST = -32600;
const METHOD_NOT_FOUND = -32601;
const INVALID_PARAMS = -32602;
const HEADER_MISMATCH = -32020;
const MISSING_CAPABILITY = -32021;
const UNSUPPORTED_VERSION = -32022;

/** HTTP's own, besides redirects: of who asks and how often, of the method, of the size, of what is spoken and understood. */
const UNREAD_STATUSES: ReadonlySet<number> = new Set([401, 403, 405, 406, 407, 413, 414, 415, 417, 421, 426, 429, 431]);
const UNREAD_CODES: ReadonlySet<number> = new Set([
  PARSE_ERROR,
  INVALID_REQUEST,
  METHOD_NOT_FOUND,
  UNSUPPORTED_VERSION,
]);
const UNDERSTOOD_CODES: ReadonlySet<number> = new Set([INVALID_PARAMS, HEADER_MISMATCH, MISSING_CAPABILITY]);

const RpcError = z.object({
  jsonrpc: z.literal('2.0'),
  id: z.union([z.string(), z.number(), z.null()]).default(null),
  error: z.object({ code: z.number() }),
});

/**
 * `unread`: before it came to what was asked. `understood`: what was asked is wrong, or cannot be done like this. Null:
 * it may have been carried out.
 */
type Refusal = 'unread' | 'understood' | null;

export function refusalOf(error: unknown, last: SentRequest): Refusal {
  if (error instanceof ProtocolError) return refusalIn(error.code);
  const status = last.response?.status ?? 200;
  if (status < 300 || status >= 500) return null;
  if (status < 400 || UNREAD_STATUSES.has(status)) return 'unread';
  const told = rpcErrorIn(last.head);
  if (told === null) return null;
  // An error without an id answers what was never read as a request.
  return refusalIn(told.error.code) ?? (told.id === null ? 'unread' : null);
}

function refusalIn(code: number): Refusal {
  if (UNREAD_CODES.has(code)) return 'unread';
  return UNDERSTOOD_CODES.has(code) ? 'understood' : null;
}

function rpcErrorIn(text: string): z.infer<typeof RpcError> | null {
  try {
    return RpcError.safeParse(JSON.parse(text)).data ?? null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
