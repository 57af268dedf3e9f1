/** The `Signature` of Signature Version 4 that a request must carry. */
import { createHash, createHmac } from 'node:crypto';

interface CanonicalRequest {
  readonly method: string;
  /** As it is on the wire. */
  readonly path: string;
  /** Without the signature itself. */
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly signedHeaders: readonly string[];
  /** Hex SHA-256 of the body, or what stands for it. */
  readonly payload: string;
  /** `<yyyymmdd>T<hhmmss>Z` */
  readonly at: string;
  /** `<yyyymmdd>/<region>/<service>/aws4_request` */
  readonly scope: string;
}

export function signatureOf(request: CanonicalRequest, secretAccessKey: string): string {
  const headers = request.signedHeaders.map((name) => `${name}:${headerText(request.headers[name])}\n`);
  const canonical = [
    request.method,
    canonicalPath(request),
    canonicalQuery(request.query),
    headers.join(''),
    request.signedHeaders.join(';'),
    request.payload,
  ].join('\n');
  const hash = createHash('sha256').update(canonical).digest('hex');
  const text = ['AWS4-HMAC-SHA256', request.at, request.scope, hash].join('\n');
  return hmac(signingKey(request.scope, secretAccessKey), text).toString('hex');
}

/** A caller signs everything of one day for one service with the same key. */
const signingKeys = new Map<string, Buffer>();

function signingKey(scope: string, secretAccessKey: string): Buffer {
  const name = `${scope} ${secretAccessKey}`;
  const known = signingKeys.get(name);
  if (known !== undefined) return known;
  const key = scope.split('/').reduce<Buffer>((made, part) => hmac(made, part), Buffer.from(`AWS4${secretAccessKey}`));
  signingKeys.set(name, key);
  return key;
}

/** Every service but S3 signs the path encoded once more than it is sent. */
function canonicalPath({ path, scope }: CanonicalRequest): string {
  const segments = path.split('/');
  if (scope.split('/')[2] === 's3') return segments.map((segment) => encode(decodeURIComponent(segment))).join('/');
  return segments.map(encode).join('/');
}

function canonicalQuery(query: URLSearchParams): string {
  const pairs = [...query].map(([name, value]) => [encode(name), encode(value)] as const);
  return pairs
    .toSorted(([a, b], [c, d]) => (a === c ? Number(b > d) || -1 : Number(a > c) || -1))
    .map((pair) => pair.join('='))
    .join('&');
}

function headerText(value: string | readonly string[] | undefined): string {
  const text = value === undefined || typeof value === 'string' ? (value ?? '') : value.join(',');
  return text.trim().replaceAll(/\s+/g, ' ');
}

function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
