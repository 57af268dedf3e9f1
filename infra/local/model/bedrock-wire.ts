/** Amazon Bedrock's InvokeModelWithResponseStream: the model in the path, the version in the body, binary frames. */
import { encodeEvent } from './event-stream.ts';
import type { Wire } from './wire.ts';

/** The only version that Bedrock has for every model. */
const API_VERSION = 'bedrock-2023-05-31';
const SIGNED = /^AWS4-HMAC-SHA256 Credential=[^/]+\/\d{8}\/[a-z0-9-]+\/bedrock\/aws4_request, SignedHeaders=/;

export const bedrockWire: Wire = {
  contentType: 'application/vnd.amazon.eventstream',
  canonical(path, headers, body) {
    // What Bedrock does not read is not passed on: a request without its signature or version is then refused.
    const { 'anthropic-version': _ignored, authorization, 'x-api-key': _key, ...rest } = headers;
    const { anthropic_version: version, ...asked } = body ?? {};
    return {
      headers: {
        ...rest,
        ...(authorization !== undefined && SIGNED.test(authorization) ? { authorization } : {}),
        ...(version === API_VERSION ? { 'anthropic-version': version } : {}),
      },
      body: body && { ...asked, model: decodeURIComponent(path.split('/')[2] ?? ''), stream: true },
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
