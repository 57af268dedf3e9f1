/** Whether a request is what its signer signed: in its headers, or in the query of a presigned URL. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { RequestHead, SignedRequest } from './service.ts';
import { readScope, type Credential } from './credentials.ts';
import { signatureOf } from './signature.ts';
import { AwsFault } from './wire.ts';

type Asked = Pick<RequestHead, 'method' | 'path' | 'query' | 'headers'>;

const MAX_EXPIRES_S = 604_800;
/** Clocks differ. */
const MAX_EARLY_MS = 15 * 60_000;

/** Null for a request that carries no credential in its query. */
export function presignedCredential(query: URLSearchParams): Credential | null {
  return readScope(query.get('X-Amz-Credential') ?? '');
}

/**
 * A presigned URL admits to one request, until it expires.
 * @throws AwsFault as S3 answers it
 */
export function checkPresigned(request: Asked, secretAccessKey: string, nowMs: number): void {
  const own = (name: string): string => request.query.get(`X-Amz-${name}`) ?? '';
  const at = own('Date');
  const signedAtMs = Date.parse(at.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  const seconds = Number(own('Expires'));
  if (!(seconds >= 1 && seconds <= MAX_EXPIRES_S) || Number.isNaN(signedAtMs)) {
    throw new AwsFault('AuthorizationQueryParametersError', 'X-Amz-Date and X-Amz-Expires are needed', 400);
  }
  if (own('Algorithm') !== 'AWS4-HMAC-SHA256') {
    throw new AwsFault('AuthorizationQueryParametersError', 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256"', 400);
  }
  const query = new URLSearchParams([...request.query].filter(([name]) => name !== 'X-Amz-Signature'));
  const signedHeaders = own('SignedHeaders').split(';');
  const unsigned = Object.keys(request.headers).filter((name) => name === 'host' || name.startsWith('x-amz-'));
  if (unsigned.some((name) => !signedHeaders.includes(name))) {
    throw new AwsFault('AccessDenied', 'There were headers present in the request which were not signed', 403);
  }
  const scope = scopeOf(own('Credential'));
  const signed = { ...request, query, signedHeaders, payload: 'UNSIGNED-PAYLOAD', at, scope };
  compare(own('Signature'), signatureOf(signed, secretAccessKey));
  if (nowMs < signedAtMs - MAX_EARLY_MS) throw new AwsFault('AccessDenied', 'Request is not valid yet', 403);
  if (nowMs > signedAtMs + seconds * 1000) throw new AwsFault('AccessDenied', 'Request has expired', 403);
}

/** @throws AwsFault when the signature is not that of this request, body included */
export function checkSigned(request: Asked & Pick<SignedRequest, 'body' | 'draft'>, secretAccessKey: string): void {
  const authorization = String(request.headers['authorization']);
  const own = (name: string): string => new RegExp(`${name}=([^,\\s]+)`).exec(authorization)?.[1] ?? '';
  // S3 uploads may say in place of a hash that the body is not signed, or signed in chunks.
  const declared = String(request.headers['x-amz-content-sha256'] ?? '');
  const hash = request.draft?.sha256 ?? createHash('sha256').update(request.body).digest('hex');
  const payload = /^[A-Z]/.test(declared) ? declared : hash;
  const at = String(request.headers['x-amz-date'] ?? '');
  const signedHeaders = own('SignedHeaders').split(';');
  const signed = { ...request, signedHeaders, payload, at, scope: scopeOf(own('Credential')) };
  compare(own('Signature'), signatureOf(signed, secretAccessKey));
}

function scopeOf(credential: string): string {
  return credential.split('/').slice(1).join('/');
}

function compare(given: string, expected: string): void {
  const [one, other] = [Buffer.from(given), Buffer.from(expected)];
  if (one.length === other.length && timingSafeEqual(one, other)) return;
  throw new AwsFault('SignatureDoesNotMatch', 'the request is not the one that was signed', 403);
}
