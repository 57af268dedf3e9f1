/** Presigned URLs: whoever holds one may make one request as the one who signed it, until it expires. */
import { timingSafeEqual } from 'node:crypto';
import type { AwsRequest } from '../seams.ts';
import { readScope, type Credential } from './credentials.ts';
import { signatureOf } from './signature.ts';
import { AwsFault } from './wire.ts';

type Asked = Pick<AwsRequest, 'method' | 'path' | 'query' | 'headers'>;

const MAX_EXPIRES_S = 604_800;

/** Null for a request that carries no credential in its query. */
export function presignedCredential({ query }: Pick<Asked, 'query'>): Credential | null {
  return readScope(query.get('X-Amz-Credential') ?? '');
}

/**
 * Unlike those of a worker's own calls these signatures are verified: a presigned URL goes to somebody who is not to
 * be trusted with anything else, and it shows its access key id.
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
  const query = new URLSearchParams([...request.query].filter(([name]) => name !== 'X-Amz-Signature'));
  const scope = own('Credential').split('/').slice(1).join('/');
  const signedHeaders = own('SignedHeaders').split(';');
  const signed = { ...request, query, signedHeaders, payload: 'UNSIGNED-PAYLOAD', at, scope };
  const expected = Buffer.from(signatureOf(signed, secretAccessKey));
  const given = Buffer.from(own('Signature'));
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new AwsFault('SignatureDoesNotMatch', 'the request is not the one that was signed', 403);
  }
  if (nowMs > signedAtMs + seconds * 1000) throw new AwsFault('AccessDenied', 'Request has expired', 403);
}
