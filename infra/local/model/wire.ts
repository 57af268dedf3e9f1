/** How a provider puts the Messages API on the wire: paths, framing and errors; the conversation is the same. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Fields } from './fields.ts';
import type { Frame } from './frames.ts';

interface WireError {
  readonly type: string;
  readonly message: string;
}

/** A request as the Claude API would have got it. */
interface Canonical {
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

export interface Wire {
  readonly contentType: string;
  canonical(path: string, headers: IncomingHttpHeaders, body: Fields | undefined): Canonical;
  frame(frame: Frame): string | Uint8Array;
  /** An error within a stream that began with 200. */
  streamError(error: WireError): string | Uint8Array;
  /** An error instead of an answer. */
  failure(error: WireError): { readonly headers: Readonly<Record<string, string>>; readonly body: unknown };
}
