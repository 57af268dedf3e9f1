/** How each provider puts the Messages API on the wire: paths, framing and errors. The conversation is the same. */
import { crc32 } from 'node:zlib';
import type { Frame } from './frames.ts';
import type { ModelError } from './script.ts';

type Headers = Readonly<Record<string, string | string[] | undefined>>;
type Fields = Readonly<Record<string, unknown>>;

/** A request as the Claude API would have got it. */
interface Canonical {
  readonly headers: Headers;
  readonly body: Fields;
}

export interface Wire {
  readonly contentType: string;
  canonical(path: string, headers: Headers, body: Fields): Canonical;
  frame(frame: Frame): string | Uint8Array;
  /** An error within a stream that began with 200. */
  streamError(error: ModelError): string | Uint8Array;
  /** An error instead of an answer. */
  failure(error: ModelError): { readonly headers: Readonly<Record<string, string>>; readonly body: unknown };
}

/** Null for a path that no provider has. */
export function wireOf(path: string): Wire | null {
  if (path === '/v1/messages') return messagesWire;
  return /^\/model\/[^/]+\/invoke-with-response-stream$/.test(path) ? bedrockWire : null;
}

/** Claude Platform on AWS speaks it too. */
const messagesWire: Wire = {
  contentType: 'text/event-stream; charset=utf-8',
  canonical: (_path, headers, body) => ({ headers, body }),
  frame: (frame) => `event: ${frame.type}\ndata: ${JSON.stringify(frame)}\n\n`,
  streamError: (error) => `event: error\ndata: ${JSON.stringify(errorEnvelope(error))}\n\n`,
  failure: (error) => ({ headers: {}, body: errorEnvelope(error) }),
};

/** The API's error body; in a stream it is the data of an `error` event. */
export function errorEnvelope({ type, message }: ModelError) {
  return { type: 'error', error: { type, message }, request_id: null } as const;
}

/** The only version that Bedrock has for every model. */
const BEDROCK_VERSION = 'bedrock-2023-05-31';
const SIGNED = /^AWS4-HMAC-SHA256 Credential=[^/]+\/\d{8}\/[a-z0-9-]+\/bedrock\/aws4_request, SignedHeaders=/;

/** Amazon Bedrock's InvokeModelWithResponseStream: the model in the path, the version in the body, binary frames. */
const bedrockWire: Wire = {
  contentType: 'application/vnd.amazon.eventstream',
  canonical(path, headers, body) {
    // What Bedrock does not read is not passed on, so that a request without signature or version lacks it here too.
    const { 'anthropic-version': _ignored, authorization, 'x-api-key': _key, ...rest } = headers;
    const { anthropic_version: version, ...asked } = body;
    return {
      headers: {
        ...rest,
        ...(SIGNED.test(String(authorization)) ? { authorization } : {}),
        ...(version === BEDROCK_VERSION ? { 'anthropic-version': BEDROCK_VERSION } : {}),
      },
      body: { ...asked, model: decodeURIComponent(path.split('/')[2] ?? ''), stream: true },
    };
  },
  frame(frame) {
    const chunk = { bytes: Buffer.from(JSON.stringify(frame)).toString('base64') };
    return encodeEvent({ ':message-type': 'event', ':event-type': 'chunk' }, chunk);
  },
  streamError: ({ type, message }) =>
    encodeEvent({ ':message-type': 'exception', ':exception-type': type }, { message }),
  failure: ({ type, message }) => ({ headers: { 'x-amzn-errortype': type }, body: { message } }),
};

const STRING_TYPE = 7;

/** One message of `application/vnd.amazon.eventstream`: two lengths, their checksum, headers, payload, a checksum of it all. */
function encodeEvent(headers: Readonly<Record<string, string>>, payload: unknown): Uint8Array {
  const head = Buffer.concat(
    Object.entries({ ...headers, ':content-type': 'application/json' }).map(([name, value]) => header(name, value)),
  );
  const body = Buffer.from(JSON.stringify(payload));
  const lengths = Buffer.concat([uint32(16 + head.length + body.length), uint32(head.length)]);
  const message = Buffer.concat([lengths, uint32(crc32(lengths)), head, body]);
  return Buffer.concat([message, uint32(crc32(message))]);
}

function header(name: string, value: string): Buffer {
  const [key, text] = [Buffer.from(name), Buffer.from(value)];
  return Buffer.concat([Buffer.of(key.length), key, Buffer.of(STRING_TYPE, text.length >> 8, text.length & 255), text]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
