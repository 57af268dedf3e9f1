import { join } from 'node:path';
import type { Access, AwsRequest, AwsResponse, Caller, Service } from './service.ts';
import type { BucketPart } from '../template/parts.ts';
import { openObjects, type Head, type Objects } from './s3/objects.ts';
import { readUpload } from './s3/upload.ts';
import { AwsFault, escapeXml } from './wire.ts';

interface S3Options {
  readonly buckets: readonly BucketPart[];
  readonly dataDir: string;
  /** Whether a caller's role allows an access: S3 hides whether an object exists from those who may not list. */
  readonly allows: (caller: Caller, access: Access) => boolean;
}

interface Target {
  readonly bucket: string;
  readonly key: string;
}

const MAX_KEYS = 1000;

/** File-backed buckets with the operations we use, addressed by path (`/<bucket>/<key>`). */
export function openS3(options: S3Options): Service {
  const buckets = new Map(
    options.buckets.map(({ name }) => [name, openObjects(join(options.dataDir, 's3', name))] as const),
  );
  const objectsOf = ({ bucket }: Target): Objects => {
    const objects = buckets.get(bucket);
    if (objects === undefined) throw new AwsFault('NoSuchBucket', `there is no bucket ${bucket}`, 404);
    return objects;
  };
  const mayList = (request: AwsRequest, { bucket }: Target): boolean =>
    options.allows(request.caller, { action: 's3:ListBucket', resource: `arn:aws:s3:::${bucket}`, context: {} });
  return {
    name: 's3',
    operation: operationOf,
    accesses: (request) => accessesOf(request, targetOf(request)),
    handle: async (request) => {
      const target = targetOf(request);
      const objects = objectsOf(target);
      switch (request.operation) {
        case 'PutObject':
          return put(request, target, objects);
        case 'GetObject':
        case 'HeadObject':
          return get(request, target, { objects, mayList: mayList(request, target) });
        case 'DeleteObject':
          objects.remove(target.key);
          return { status: 204, headers: {}, body: '' };
        case 'DeleteObjects':
          return deleteMany(request, objects);
        case 'ListObjectsV2':
          return list(request, target, objects);
        default:
          throw new AwsFault('NotImplemented', `s3: ${request.operation} is not played here`, 501);
      }
    },
    close: async () => {},
  };
}

function targetOf({ path }: Pick<AwsRequest, 'path'>): Target {
  const [, bucket = '', ...key] = path.split('/');
  return { bucket: decodeURIComponent(bucket), key: decodeURIComponent(key.join('/')) };
}

function operationOf(request: Pick<AwsRequest, 'method' | 'path' | 'query'>): string {
  const onObject = targetOf(request).key !== '';
  const { method, query } = request;
  if (onObject && [...query.keys()].every((key) => /^(x-id$|response-|X-Amz-)/.test(key))) {
    const named = { PUT: 'PutObject', GET: 'GetObject', HEAD: 'HeadObject', DELETE: 'DeleteObject' };
    return Object.entries(named).find(([one]) => one === method)?.[1] ?? `${method}Object`;
  }
  if (!onObject && method === 'POST' && query.has('delete')) return 'DeleteObjects';
  if (!onObject && method === 'GET' && query.get('list-type') === '2') return 'ListObjectsV2';
  return `${method} ${onObject ? 'object' : 'bucket'} ${[...query.keys()].join(',')}`.trim();
}

const OBJECT_ACTIONS: Readonly<Record<string, string>> = {
  PutObject: 's3:PutObject',
  GetObject: 's3:GetObject',
  HeadObject: 's3:GetObject',
  DeleteObject: 's3:DeleteObject',
};

function accessesOf(request: AwsRequest, { bucket, key }: Target): readonly Access[] {
  const arn = `arn:aws:s3:::${bucket}`;
  if (request.operation === 'ListObjectsV2') {
    const context = { 's3:prefix': [request.query.get('prefix') ?? ''] };
    return [{ action: 's3:ListBucket', resource: arn, context }];
  }
  if (request.operation === 'DeleteObjects') {
    return keysToDelete(request).map((one) => ({ action: 's3:DeleteObject', resource: `${arn}/${one}`, context: {} }));
  }
  const action = OBJECT_ACTIONS[request.operation] ?? `s3:${request.operation.replaceAll(' ', '-')}`;
  return [{ action, resource: key === '' ? arn : `${arn}/${key}`, context: {} }];
}

function put(request: AwsRequest, { key }: Target, objects: Objects): AwsResponse {
  const condition = request.headers['if-none-match'];
  if (condition !== undefined && condition !== '*') {
    throw new AwsFault('NotImplemented', 'If-None-Match of an upload can only be *', 501);
  }
  const head = objects.write(key, readUpload(request), condition === '*');
  if (head === null) {
    throw new AwsFault('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', 412);
  }
  return { status: 200, headers: { etag: head.etag }, body: '' };
}

function get(
  request: AwsRequest,
  { key }: Target,
  { objects, mayList }: { objects: Objects; mayList: boolean },
): AwsResponse {
  const found = objects.read(key);
  if (found === null && !mayList)
    throw new AwsFault('AccessDenied', 'Access Denied (no s3:ListBucket, no such key)', 403);
  if (found === null) throw new AwsFault('NoSuchKey', 'The specified key does not exist.', 404);
  if (request.headers['range'] !== undefined) throw new AwsFault('NotImplemented', 'ranges are not served here', 501);
  const { head, body } = found;
  const dated = { etag: head.etag, 'last-modified': new Date(head.modifiedAt).toUTCString() };
  const headers = { 'content-type': 'application/octet-stream', ...head.headers, ...dated };
  if (request.operation === 'GetObject') return { status: 200, headers, body };
  return { status: 200, headers: { ...headers, 'content-length': String(head.size) }, body: '' };
}

function deleteMany(request: AwsRequest, objects: Objects): AwsResponse {
  const deleted = keysToDelete(request).map((key) => {
    objects.remove(key);
    return `<Deleted><Key>${escapeXml(key)}</Key></Deleted>`;
  });
  return xml(`<DeleteResult>${deleted.join('')}</DeleteResult>`);
}

function keysToDelete(request: AwsRequest): readonly string[] {
  return [...request.body.toString('utf8').matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key = '']) => unescapeXml(key));
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

function unescapeXml(text: string): string {
  const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
  return text.replace(/&(#x?[0-9a-fA-F]+|\w+);/g, (all, name: string) => {
    if (name.startsWith('#x')) return String.fromCodePoint(Number.parseInt(name.slice(2), 16));
    if (name.startsWith('#')) return String.fromCodePoint(Number(name.slice(1)));
    return named[name] ?? all;
  });
}
