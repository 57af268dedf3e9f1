/**
 * API Gateway's proxy event to a web request, and a web response back. Hono's own adapter for this is deprecated, speaks
 * four dialects, and refuses events (a GET with a body, a header that is not Latin-1) that must get an ordinary answer.
 */
import type { GatewayEvent } from '#contract/gateway.ts';

export interface GatewayResult {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly isBase64Encoded: false;
}

/** The headers that mean something here. */
const READ = new Set(['authorization', 'x-api-key', 'anthropic-workspace-id', 'content-type']);

export function toRequest(event: GatewayEvent): Request {
  const url = new URL(pathOf(event), 'https://api.invalid');
  for (const [name, values] of queryOf(event)) {
    for (const value of values) url.searchParams.append(name, value);
  }
  const method = event.httpMethod.toUpperCase();
  const carriesBody = method !== 'GET' && method !== 'HEAD';
  return new Request(url, { method, headers: headersOf(event), body: carriesBody ? bodyOf(event) : null });
}

export async function toResult(response: Response): Promise<GatewayResult> {
  return {
    statusCode: response.status,
    headers: Object.fromEntries(response.headers),
    body: await response.text(),
    isBase64Encoded: false,
  };
}

/** Below a custom domain's base path, `path` carries the base path too; what the greedy parameter caught does not. */
function pathOf(event: GatewayEvent): string {
  const proxied = event.pathParameters?.['proxy'];
  const path = proxied === undefined ? event.path : `/v1/${proxied}`;
  // `//host` would name another host.
  return path.replace(/^\/+/, '/');
}

function queryOf(event: GatewayEvent): readonly (readonly [string, readonly string[]])[] {
  const several = event.multiValueQueryStringParameters;
  if (several !== null && several !== undefined) return Object.entries(several);
  return Object.entries(event.queryStringParameters ?? {}).map(([name, value]) => [name, [value ?? '']]);
}

function headersOf(event: GatewayEvent): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(event.headers ?? {})) {
    const known = name.toLowerCase();
    if (value !== undefined && READ.has(known)) headers.set(known, asciiOf(value));
  }
  return headers;
}

/** A value outside ASCII names no key, no workspace and no content type that exists. */
function asciiOf(value: string): string {
  return value.replaceAll(/[^\x20-\x7e]/g, '?');
}

function bodyOf(event: GatewayEvent): string {
  const body = event.body ?? '';
  return event.isBase64Encoded === true ? Buffer.from(body, 'base64').toString() : body;
}
