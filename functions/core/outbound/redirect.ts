/** The request after a redirect. Its URL is judged like the first one; this file decides what the request may carry. */
import type { OutboundRequest } from '#core/ports/outbound.ts';

export type RequestParts = Pick<OutboundRequest, 'url' | 'method' | 'headers' | 'body'>;

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
/** The only headers that go to another origin: an unknown header may be a credential. */
const HARMLESS: readonly string[] = ['accept', 'accept-encoding', 'accept-language', 'user-agent'];

export function isRedirect(code: number, location: string | undefined): location is string {
  return REDIRECTS.includes(code) && location !== undefined;
}

/** The next request, or the rule against it. */
export function redirected(
  request: RequestParts,
  from: URL,
  { code, location }: { code: number; location: string },
): RequestParts | string {
  const to = URL.parse(location, from.href);
  if (to === null) return 'redirects to what is not a valid URL';
  if (from.protocol === 'https:' && to.protocol === 'http:') return 'redirects from https to http';
  const becomesGet = code === 303 || (code <= 302 && request.method === 'POST');
  const method = becomesGet ? 'GET' : request.method;
  const body = becomesGet ? undefined : request.body;
  // A token request carries its secrets in the body.
  if (body !== undefined && to.origin !== from.origin) return 'redirects a request with a body to another origin';
  const kept = Object.entries(request.headers ?? {}).filter(([name]) => isKept(name.toLowerCase(), { to, from, body }));
  return { url: to.href, method, headers: Object.fromEntries(kept), ...(body === undefined ? {} : { body }) };
}

function isKept(name: string, { to, from, body }: { to: URL; from: URL; body: string | undefined }): boolean {
  if (name.startsWith('content-') && body === undefined) return false;
  return to.origin === from.origin || HARMLESS.includes(name);
}
