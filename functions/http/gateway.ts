/**
 * API Gateway's proxy event to a web request, and a web response back. Hono's own adapter for this is deprecated, speaks
 * four dialects, and refuses events (a GET with a body, a header that is not Latin-1) that must get an ordinary answer.
 */
import { GatewayEvent } from '#contract/gateway.ts';
import type { Journal } from '#core/ports/journal.ts';

interface GatewayResult {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly multiValueHeaders: Readonly<Record<string, readonly string[]>>;
  readonly body: string;
  readonly isBase64Encoded: false;
}

interface Routes {
  /** Before the path that the proxy parameter holds. */
  readonly prefix: '/v1' | '/connect';
  /** The headers that mean something to the routes; a request has no others. */
  readonly headers: readonly string[];
}

export const API_ROUTES: Routes = {
  prefix: '/v1',
  headers: [
    ...['authorization', 'x-api-key', 'anthropic-workspace-id', 'content-type'],
    ...['x-stainless-lang', 'x-stainless-package-version'],
  ],
};

/** Answers hold one workspace's data, and some of them links that only one user may open. */
export const NOT_KEPT = { 'cache-control': 'no-store' } as const;

interface Served {
  readonly fetch: (request: Request) => Response | Promise<Response>;
  readonly journal: { flush(): void };
}

/** A Lambda handler of buffered responses. */
export function gatewayHandler(routes: Routes, { fetch, journal }: Served): (event: unknown) => Promise<GatewayResult> {
  return async function handler(event) {
    try {
      return await toResult(await fetch(toRequest(GatewayEvent.parse(event), routes)));
    } finally {
      journal.flush();
    }
  };
}

export function toRequest(event: GatewayEvent, { prefix, headers }: Routes): Request {
  const url = new URL(pathOf(event, prefix), 'https://gateway.invalid');
  for (const [name, values] of queryOf(event)) {
    for (const value of values) url.searchParams.append(name, value);
  }
  const method = event.httpMethod.toUpperCase();
  const carriesBody = method !== 'GET' && method !== 'HEAD';
  return new Request(url, { method, headers: headersOf(event, headers), body: carriesBody ? bodyOf(event) : null });
}

/** Cookies are apart: joined into one header, they would be one cookie. */
export async function toResult(response: Response): Promise<GatewayResult> {
  const cookies = response.headers.getSetCookie();
  return {
    statusCode: response.status,
    headers: Object.fromEntries([...response.headers].filter(([name]) => name !== 'set-cookie')),
    multiValueHeaders: cookies.length === 0 ? {} : { 'set-cookie': cookies },
    body: await response.text(),
    isBase64Encoded: false,
  };
}

/** No operation has this path. */
const NOWHERE = '/';

/**
 * Below a custom domain's base path, `path` carries the base path too; what the greedy parameter caught does not. The
 * parameter was decoded once, so an id with an encoded slash would name another operation.
 */
function pathOf(event: GatewayEvent, prefix: string): string {
  const proxied = event.pathParameters?.['proxy'];
  if (!isPlain(event.path) || !isPlain(proxied ?? '')) return NOWHERE;
  const path = proxied === undefined ? event.path : `${prefix}/${proxied}`;
  // `//host` would name another host.
  return path.replace(/^\/+/, '/');
}

/** An encoded character that has a meaning in a URL, or a control character. */
const HIDDEN = /%(?:2[35ef]|3f|5c|[01][\da-f]|7f)/i;

/** Whether a URL with this path has this path: no part of it leads elsewhere. */
function isPlain(path: string): boolean {
  const isVisible = !HIDDEN.test(path) && !/[\\?#\p{Cc}]/u.test(path);
  return isVisible && !path.split('/').some((segment) => segment === '.' || segment === '..');
}

function queryOf(event: GatewayEvent): readonly (readonly [string, readonly string[]])[] {
  const several = event.multiValueQueryStringParameters;
  if (several !== null && several !== undefined) return Object.entries(several);
  return Object.entries(event.queryStringParameters ?? {}).map(([name, value]) => [name, [value ?? '']]);
}

function headersOf(event: GatewayEvent, names: readonly string[]): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(event.headers ?? {})) {
    const known = name.toLowerCase();
    if (value !== undefined && names.includes(known)) headers.set(known, asciiOf(value));
  }
  return headers;
}

/** A value outside ASCII names no key, no workspace, no cookie and no content type that exists. */
function asciiOf(value: string): string {
  return value.replaceAll(/[^\x20-\x7e]/g, '?');
}

function bodyOf(event: GatewayEvent): string | Uint8Array<ArrayBuffer> {
  const body = event.body ?? '';
  return event.isBase64Encoded === true ? Buffer.from(body, 'base64') : body;
}

export type Fields = Readonly<Record<string, string | number>>;

interface RequestWorld {
  /** The random part of a new id. */
  readonly newToken: () => string;
  readonly journal: Journal;
}

/** For the answer of one request. */
export interface Answering {
  readonly requestId: string;
  /** Adds to the line. */
  readonly note: (fields: Fields) => void;
}

/** Answers one request under an id of its own, and writes one line about it to the journal. */
export async function journalRequest<Answer extends { readonly status: number }>(
  { newToken, journal }: RequestWorld,
  about: { readonly method: string; readonly route: string },
  answer: (answering: Answering) => Promise<Answer>,
): Promise<Answer> {
  const began = performance.now();
  const requestId = `req_${newToken()}`;
  const fields: Record<string, string | number> = {};
  const answered = await answer({ requestId, note: (added) => void Object.assign(fields, added) });
  const { status } = answered;
  const line = { request_id: requestId, ...about, status, ...fields };
  journal.line('request', { ...line, duration_ms: Math.round(performance.now() - began) });
  if (status >= 500) journal.metric('RequestErrors', 'Count', 1);
  return answered;
}
