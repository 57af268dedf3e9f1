import { join } from 'node:path';
import { Readable } from 'node:stream';
import { DomUtils, parseDocument } from 'htmlparser2';
import type { Access, AwsRequest, AwsResponse, Caller, RequestHead, Service } from '../service.ts';
import type { BucketPart } from '../../template/parts.ts';
import { namedParts, openMultipart, type Multipart } from './multipart.ts';
import { openObjects, type Head, type Objects } from './objects.ts';
import { isChunked, readUpload } from './upload.ts';
import { draftFile, removeDrafts } from '../draft.ts';
import { AwsFault, escapeXml } from '../wire.ts';

interface S3Options {
  readonly buckets: readonly BucketPart[];
  readonly dataDir: string;
  /** Whether a caller's role allows an access beside those that the call itself needs. */
  readonly allows: (caller: Caller, access: Access) => boolean;
}

interface Target {
  readonly bucket: string;
  readonly key: string;
}

const MAX_KEYS = 1000;
/** Larger objects go to disk as they come. */
const MAX_WHOLE_BYTES = 1_000_000;

interface Bucket {
  readonly dir: string;
  readonly objects: Objects;
  readonly uploads: Multipart;
}

/** File-backed buckets with the operations we use, addressed by path (`/<bucket>/<key>`). */
export function openS3(options: S3Options): Service {
  const buckets = new Map(
    options.buckets.map(({ name }) => [name, openBucket(join(options.dataDir, 's3', name))] as const),
  );
  const locked = new Set(options.buckets.filter(({ hasLock }) => hasLock).map(({ name }) => name));
  const bucketOf = ({ bucket }: Target): Bucket => {
    const found = buckets.get(bucket);
    if (found === undefined) throw new AwsFault('NoSuchBucket', `there is no bucket ${bucket}`, 404);
    return found;
  };
  return {
    name: 's3',
    operation: operationOf,
    draftOf(request) {
      const { dir } = buckets.get(targetOf(request).bucket) ?? {};
      const isLarge = Number(request.headers['content-length'] ?? Infinity) > MAX_WHOLE_BYTES;
      return dir === undefined || request.method !== 'PUT' || !isLarge || isChunked(request) ? null : draftFile(dir);
    },
    read: (request) => {
      const target = targetOf(request);
      const { action, answer, resources = [resourceOf(target)], context = {} } = readOperation(request, target);
      return {
        accesses: resources.map((resource) => ({ action: `s3:${action}`, resource, context })),
        answer: async () => {
          const resource = resourceOf({ ...target, key: '' });
          if (operationOf(request) === 'PutObject' && locked.has(target.bucket)) demandChecksum(request);
          const mayList = () => options.allows(request.caller, { action: 's3:ListBucket', resource, context: {} });
          return answer(bucketOf(target), mayList);
        },
      };
    },
  };
}

function openBucket(dir: string): Bucket {
  const objects = openObjects(dir);
  removeDrafts(dir);
  return { dir, objects, uploads: openMultipart(join(dir, 'uploads'), objects) };
}

function targetOf({ path }: Pick<AwsRequest, 'path'>): Target {
  const [, bucket = '', ...key] = path.split('/');
  return { bucket: decodeURIComponent(bucket), key: decodeURIComponent(key.join('/')) };
}

function resourceOf({ bucket, key }: Target): string {
  return key === '' ? `arn:aws:s3:::${bucket}` : `arn:aws:s3:::${bucket}/${key}`;
}

/** By method and by the parameters of the query that do not stand at any request. */
const ON_OBJECTS: Readonly<Record<string, string>> = {
  'PUT ': 'PutObject',
  'GET ': 'GetObject',
  'HEAD ': 'HeadObject',
  'DELETE ': 'DeleteObject',
  'POST uploads': 'CreateMultipartUpload',
  'PUT partNumber,uploadId': 'UploadPart',
  'POST uploadId': 'CompleteMultipartUpload',
  'DELETE uploadId': 'AbortMultipartUpload',
};

function operationOf(request: Pick<RequestHead, 'method' | 'path' | 'query'>): string {
  const onObject = targetOf(request).key !== '';
  const { method, query } = request;
  const own = [...query.keys()].filter((key) => !/^(x-id$|response-|X-Amz-)/.test(key)).toSorted();
  const named = onObject ? ON_OBJECTS[`${method} ${own.join(',')}`] : undefined;
  if (named !== undefined) return named;
  if (!onObject && method === 'POST' && query.has('delete')) return 'DeleteObjects';
  if (!onObject && method === 'GET' && query.get('list-type') === '2') return 'ListObjectsV2';
  return `${method} ${onObject ? 'object' : 'bucket'} ${[...query.keys()].join(',')}`.trim();
}

interface Operation {
  readonly action: string;
  /** @default the object or bucket that the request names */
  readonly resources?: readonly string[];
  readonly context?: Access['context'];
  answer(bucket: Bucket, mayList: () => boolean): AwsResponse | Promise<AwsResponse>;
}

const NOTHING: AwsResponse = { status: 204, headers: {}, body: '' };

function readOperation(request: AwsRequest, target: Target): Operation {
  switch (request.operation) {
    case 'PutObject':
      return { action: 'PutObject', answer: ({ objects }) => put(request, target, objects) };
    case 'GetObject':
    case 'HeadObject':
      return { action: 'GetObject', answer: ({ objects }, mayList) => get(request, { target, objects, mayList }) };
    case 'DeleteObject':
      return {
        action: 'DeleteObject',
        answer: ({ objects }) => {
          objects.remove(target.key);
          return NOTHING;
        },
      };
    case 'CreateMultipartUpload':
    case 'UploadPart':
    case 'CompleteMultipartUpload':
      return { action: 'PutObject', answer: ({ uploads }) => putInParts(request, target, uploads) };
    case 'AbortMultipartUpload':
      return {
        action: 'AbortMultipartUpload',
        answer: ({ uploads }) => {
          uploads.abort(uploadOf(request, target));
          return NOTHING;
        },
      };
    case 'DeleteObjects': {
      const keys = keysToDelete(request);
      const resources = keys.map((key) => resourceOf({ ...target, key }));
      return { action: 'DeleteObject', resources, answer: ({ objects }) => deleteMany(keys, objects) };
    }
    case 'ListObjectsV2': {
      const context = { 's3:prefix': [request.query.get('prefix') ?? ''] };
      return { action: 'ListBucket', context, answer: ({ objects }) => list(request, target, objects) };
    }
    default:
      throw new AwsFault('NotImplemented', `s3: ${request.operation} is not played here`, 501);
  }
}

function put(request: AwsRequest, { key }: Target, objects: Objects): AwsResponse {
  const onlyNew = isOnlyNew(request);
  const { 'if-match': expected } = request.headers;
  // Nothing else runs between this look and the write.
  const etag = expected === undefined ? undefined : objects.head(key)?.etag;
  if (expected !== undefined && etag === undefined) {
    throw new AwsFault('NoSuchKey', 'The specified key does not exist.', 404);
  }
  const isOther = etag !== undefined && String(expected).replaceAll('"', '') !== etag.replaceAll('"', '');
  return stored(isOther ? null : objects.write(key, readUpload(request), onlyNew));
}

function isOnlyNew({ headers }: AwsRequest): boolean {
  const { 'if-none-match': condition, 'if-match': expected } = headers;
  if (condition === undefined || (condition === '*' && expected === undefined)) return condition !== undefined;
  throw new AwsFault('NotImplemented', 'If-None-Match of an upload can only be *, without If-Match', 501);
}

/** @throws AwsFault when nothing was stored, because a condition does not hold */
function stored(head: Head | null): AwsResponse {
  if (head !== null) return { status: 200, headers: { etag: head.etag }, body: '' };
  throw new AwsFault('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', 412);
}

function uploadOf({ query }: AwsRequest, { key }: Target) {
  return { key, uploadId: query.get('uploadId') ?? '' };
}

async function putInParts(request: AwsRequest, target: Target, uploads: Multipart): Promise<AwsResponse> {
  const { operation, query, headers, body } = request;
  const upload = uploadOf(request, target);
  if (operation === 'CreateMultipartUpload') {
    const uploadId = uploads.begin({ key: target.key, headers: readUpload(request).headers });
    const named = `<Bucket>${target.bucket}</Bucket><Key>${escapeXml(target.key)}</Key>`;
    const result = `${named}<UploadId>${uploadId}</UploadId>`;
    return xml(`<InitiateMultipartUploadResult>${result}</InitiateMultipartUploadResult>`);
  }
  if (operation === 'UploadPart') {
    const etag = uploads.put(upload, query.get('partNumber') ?? '', readUpload(request).body);
    return { status: 200, headers: { etag }, body: '' };
  }
  const { 'x-amz-mp-object-size': size } = headers;
  const completion = {
    parts: namedParts(body),
    size: size === undefined ? null : Number(size),
    onlyNew: isOnlyNew(request),
  };
  const { etag = '' } = stored(await uploads.complete(upload, completion)).headers;
  return xml(`<CompleteMultipartUploadResult><ETag>${escapeXml(etag)}</ETag></CompleteMultipartUploadResult>`);
}

/** S3 takes no object that it locks without a checksum of it. */
function demandChecksum({ headers }: AwsRequest): void {
  const names = Object.keys(headers);
  if (names.some((name) => /^(content-md5|x-amz-checksum-|x-amz-sdk-checksum-algorithm$|x-amz-trailer$)/.test(name)))
    return;
  const rule =
    'Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters';
  throw new AwsFault('InvalidRequest', rule, 400);
}

interface Asked {
  readonly target: Target;
  readonly objects: Objects;
  readonly mayList: () => boolean;
}

/** S3 hides from a caller that may not list the bucket whether an object exists. */
function get(request: AwsRequest, { target: { key }, objects, mayList }: Asked): AwsResponse {
  const head = objects.head(key);
  if (head === null && !mayList()) {
    throw new AwsFault('AccessDenied', 'Access Denied (no s3:ListBucket, no such key)', 403);
  }
  if (head === null) throw new AwsFault('NoSuchKey', 'The specified key does not exist.', 404);
  if (request.headers['range'] !== undefined) throw new AwsFault('NotImplemented', 'ranges are not served here', 501);
  const headers = {
    ...{ 'content-type': 'application/octet-stream', ...head.headers, etag: head.etag },
    'last-modified': new Date(head.modifiedAt).toUTCString(),
    'content-length': String(head.size),
    ...overridden(request.query),
  };
  const body = request.operation === 'HeadObject' ? '' : (objects.read(key) ?? '');
  return body instanceof Readable ? { status: 200, headers, body: '', stream: body } : { status: 200, headers, body };
}

/** `response-content-type` and its like, which a signed request may ask for. */
function overridden(query: URLSearchParams): Record<string, string> {
  const asked = [...query].filter(([name]) => name.startsWith('response-'));
  return Object.fromEntries(asked.map(([name, value]) => [name.slice('response-'.length), value]));
}

function deleteMany(keys: readonly string[], objects: Objects): AwsResponse {
  for (const key of keys) objects.remove(key);
  const deleted = keys.map((key) => `<Deleted><Key>${escapeXml(key)}</Key></Deleted>`);
  return xml(`<DeleteResult>${deleted.join('')}</DeleteResult>`);
}

function keysToDelete(request: AwsRequest): readonly string[] {
  const document = parseDocument(request.body.toString('utf8'), { xmlMode: true });
  return DomUtils.getElementsByTagName('Key', document).map(DomUtils.textContent);
}

function list(request: AwsRequest, { bucket }: Target, objects: Objects): AwsResponse {
  const { query } = request;
  if (query.has('delimiter')) throw new AwsFault('NotImplemented', 'listing with a delimiter is not served here', 501);
  const prefix = query.get('prefix') ?? '';
  const after = query.get('continuation-token') ?? query.get('start-after') ?? '';
  const limit = Math.min(Number(query.get('max-keys') ?? MAX_KEYS), MAX_KEYS);
  const rest = objects.list(prefix).filter(({ key }) => key > after);
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  const next =
    rest.length > page.length && last !== undefined
      ? `<NextContinuationToken>${escapeXml(last.key)}</NextContinuationToken>`
      : '';
  return xml(
    `<ListBucketResult><Name>${bucket}</Name><Prefix>${escapeXml(prefix)}</Prefix><KeyCount>${page.length}</KeyCount>` +
      `<MaxKeys>${limit}</MaxKeys><IsTruncated>${next !== ''}</IsTruncated>${next}${page.map(listed).join('')}</ListBucketResult>`,
  );
}

function listed({ key, etag, size, modifiedAt }: Head): string {
  const modified = new Date(modifiedAt).toISOString();
  return `<Contents><Key>${escapeXml(key)}</Key><LastModified>${modified}</LastModified><ETag>${escapeXml(etag)}</ETag><Size>${size}</Size></Contents>`;
}

function xml(body: string): AwsResponse {
  return {
    status: 200,
    headers: { 'content-type': 'application/xml' },
    body: `<?xml version="1.0" encoding="UTF-8"?>${body}`,
  };
}
