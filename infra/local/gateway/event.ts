import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { RouteMatch } from './routes.ts';

/** Shown in events and in `requestContext.path`; the URLs served here have no stage in them. */
const STAGE = 'local';
const API_ID = 'local';

type Multi = Record<string, string[]>;

interface EventSource {
  readonly request: IncomingMessage;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly match: RouteMatch;
  readonly body: Buffer;
  readonly account: string;
  /** A body of one of these types is in the event as base64; any other is text. */
  readonly binaryMediaTypes: readonly string[];
}

/** The event of a Lambda proxy integration, version 1.0, as a REST API builds it. */
export function createProxyEvent(source: EventSource): Readonly<Record<string, unknown>> {
  const { request, path, match, body } = source;
  const headers = collectHeaders(request);
  const query = collectQuery(source.query);
  const [type = ''] = (request.headers['content-type'] ?? '').toLowerCase().split(';');
  const isBase64Encoded = source.binaryMediaTypes.some((one) => one === type.trim() || one === '*/*');
  return {
    resource: match.route.path,
    path,
    httpMethod: request.method,
    headers: lastOfEach(headers),
    multiValueHeaders: headers,
    queryStringParameters: orNull(lastOfEach(query)),
    multiValueQueryStringParameters: orNull(query),
    pathParameters: orNull(match.parameters),
    stageVariables: null,
    requestContext: createRequestContext(source),
    body: body.length === 0 ? null : body.toString(isBase64Encoded ? 'base64' : 'utf8'),
    isBase64Encoded,
  };
}

function createRequestContext(source: EventSource): Readonly<Record<string, unknown>> {
  const { request, path, match, account } = source;
  const now = new Date();
  return {
    accountId: account,
    apiId: API_ID,
    domainName: request.headers.host ?? 'localhost',
    domainPrefix: API_ID,
    extendedRequestId: randomUUID(),
    httpMethod: request.method,
    identity: {
      accessKey: null,
      accountId: null,
      caller: null,
      cognitoAuthenticationProvider: null,
      cognitoAuthenticationType: null,
      cognitoIdentityId: null,
      cognitoIdentityPoolId: null,
      principalOrgId: null,
      sourceIp: sourceIp(request),
      user: null,
      userAgent: request.headers['user-agent'] ?? null,
      userArn: null,
    },
    path: `/${STAGE}${path}`,
    protocol: `HTTP/${request.httpVersion}`,
    requestId: randomUUID(),
    requestTime: now.toUTCString(),
    requestTimeEpoch: now.getTime(),
    resourceId: match.route.path,
    resourcePath: match.route.path,
    stage: STAGE,
  };
}

/** Names keep the case they were sent in; a repeated header keeps every value. */
function collectHeaders(request: IncomingMessage): Multi {
  const headers = emptyMulti();
  for (let at = 0; at + 1 < request.rawHeaders.length; at += 2) {
    (headers[request.rawHeaders[at] ?? ''] ??= []).push(request.rawHeaders[at + 1] ?? '');
  }
  headers['X-Forwarded-For'] = [sourceIp(request)];
  headers['X-Forwarded-Port'] = [String(request.socket.localPort ?? '')];
  headers['X-Forwarded-Proto'] = ['http'];
  return headers;
}

function collectQuery(query: URLSearchParams): Multi {
  const parameters = emptyMulti();
  for (const [name, value] of query) (parameters[name] ??= []).push(value);
  return parameters;
}

/** Clients choose the names, and `constructor` or `__proto__` must not find what every object has. */
function emptyMulti(): Multi {
  return Object.create(null) as Multi;
}

function lastOfEach(multi: Multi): Record<string, string> {
  return Object.fromEntries(Object.entries(multi).map(([name, values]) => [name, values.at(-1) ?? '']));
}

function orNull<T extends object>(value: T): T | null {
  return Object.keys(value).length === 0 ? null : value;
}

function sourceIp(request: IncomingMessage): string {
  return (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
}
