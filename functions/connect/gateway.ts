/** API Gateway's proxy event to a web request for the pages, and the answer back with every cookie it sets. */
import type { GatewayEvent } from '#contract/gateway.ts';

export interface GatewayResult {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly multiValueHeaders: Readonly<Record<string, readonly string[]>>;
  readonly body: string;
  readonly isBase64Encoded: false;
}

/** The headers that mean something here. Where we are reached is a setting, and never what a client says. */
const READ = new Set(['cookie', 'content-type']);

export function toRequest(event: GatewayEvent): Request {
  const url = new URL(`/connect/${event.pathParameters?.['proxy'] ?? ''}`, 'https://connect.invalid');
  for (const [name, values] of Object.entries(event.multiValueQueryStringParameters ?? {})) {
    for (const value of values) url.searchParams.append(name, value);
  }
  const headers = new Headers();
  for (const [name, value] of Object.entries(event.headers ?? {})) {
    // A value outside ASCII is no cookie of ours.
    if (value !== undefined && READ.has(name.toLowerCase()) && /^[\x20-\x7e]*$/.test(value)) headers.set(name, value);
  }
  const method = event.httpMethod.toUpperCase();
  const body = method === 'GET' || method === 'HEAD' ? null : bodyOf(event);
  return new Request(url, { method, headers, body });
}

export async function toResult(response: Response): Promise<GatewayResult> {
  return {
    statusCode: response.status,
    headers: Object.fromEntries([...response.headers].filter(([name]) => name !== 'set-cookie')),
    multiValueHeaders: { 'set-cookie': response.headers.getSetCookie() },
    body: await response.text(),
    isBase64Encoded: false,
  };
}

function bodyOf(event: GatewayEvent): string {
  const body = event.body ?? '';
  return event.isBase64Encoded === true ? Buffer.from(body, 'base64').toString() : body;
}
