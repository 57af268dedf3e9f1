import { bedrockWire } from './bedrock-wire.ts';
import { errorEnvelope } from './error-envelope.ts';
import type { Wire } from './wire.ts';

/** Claude Platform on AWS speaks it too. */
const messagesWire: Wire = {
  contentType: 'text/event-stream; charset=utf-8',
  canonical: (_path, headers, body) => ({ headers, body }),
  frame: (frame) => `event: ${frame.type}\ndata: ${JSON.stringify(frame)}\n\n`,
  streamError: (error) => `event: error\ndata: ${JSON.stringify(errorEnvelope(error))}\n\n`,
  failure: (error) => ({ headers: {}, body: errorEnvelope(error) }),
};

/** Null for a path that no provider has. */
export function wireOf(path: string): Wire | null {
  if (path === '/v1/messages') return messagesWire;
  return /^\/model\/[^/]+\/invoke-with-response-stream$/.test(path) ? bedrockWire : null;
}
