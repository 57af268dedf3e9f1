import type { AwsRequest, SignedRequest } from '../service.ts';
import { AwsFault } from '../wire.ts';
import type { NewObject } from './objects.ts';

/** Headers of an upload that belong to the object. */
const KEPT =
  /^(content-type|content-encoding|content-disposition|content-language|cache-control|x-amz-meta-.*|x-amz-checksum-(crc32|crc32c|crc64nvme|sha1|sha256))$/;

/** SDKs may send an object in signed or unsigned chunks with checksums behind (`aws-chunked`). */
export function isChunked({ headers }: Pick<SignedRequest, 'headers'>): boolean {
  const isSigned = String(headers['x-amz-content-sha256']).startsWith('STREAMING-');
  return isSigned || String(headers['content-encoding'] ?? '').includes('aws-chunked');
}

/** The object inside a request. */
export function readUpload(request: AwsRequest): NewObject {
  const encoding = String(request.headers['content-encoding'] ?? '');
  const whole = { body: request.draft ?? request.body, trailers: {} };
  const { body, trailers } = isChunked(request) ? unchunk(request.body) : whole;
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries({ ...request.headers, ...trailers })) {
    if (KEPT.test(name) && value !== undefined) headers[name] = String(value);
  }
  const remaining = encoding
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '' && one !== 'aws-chunked');
  delete headers['content-encoding'];
  return { body, headers: remaining.length === 0 ? headers : { ...headers, 'content-encoding': remaining.join(',') } };
}

/** `<hex size>[;chunk-signature=…]\r\n<bytes>\r\n … 0\r\n<trailer>: <value>\r\n\r\n` */
function unchunk(encoded: Buffer): { readonly body: Buffer; readonly trailers: Record<string, string> } {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = encoded.indexOf('\r\n', at);
    if (lineEnd === -1) throw new AwsFault('IncompleteBody', 'the chunked upload ends in the middle');
    const size = Number.parseInt(encoded.toString('latin1', at, lineEnd), 16);
    if (Number.isNaN(size)) throw new AwsFault('InvalidRequest', 'the chunked upload has a chunk without a size');
    const start = lineEnd + 2;
    if (size === 0) return { body: Buffer.concat(parts), trailers: readTrailers(encoded.toString('latin1', start)) };
    parts.push(encoded.subarray(start, start + size));
    at = start + size + 2;
  }
}

function readTrailers(text: string): Record<string, string> {
  const lines = text.split('\r\n').filter((line) => line.includes(':'));
  return Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf(':')).trim().toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  );
}
