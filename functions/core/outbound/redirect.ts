/** What a redirect makes of a request. The next hop is judged like the first; this is what may travel to it. */
import type { OutboundRequest } from '#core/ports/outbound.ts';

export type Hop = Pick<OutboundRequest, 'url' | 'method' | 'headers' | 'body'>;

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
/** All that another origin gets to see: a header that is not known may be a credential. */
const HARMLESS: readonly string[] = ['accept', 'accept-encoding', 'accept-language', 'user-agent'];

export function isRedirect(code: number, location: string | undefined): location is string {
  return REDIRECTS.includes(code) && location !== undefined;
}

/** The next hop, or the rule against it. */
export function redirected(hop: Hop, from: URL, { code, location }: { code: number; location: string }): Hop | string {
  const to = URL.parse(location, from.href);
  if (to === null) return 'redirects to what is not a valid URL';
  if (from.protocol === 'https:' && to.protocol === 'http:') return 'redirects from https to http';
  const becomesGet = code === 303 || (code <= 302 && hop.method === 'POST');
  const method = becomesGet ? 'GET' : hop.method;
  const body = becomesGet ? undefined : hop.body;
  // A token request carries its secrets in the body.
  if (body !== undefined && to.origin !== from.origin) return 'redirects a request with a body to another origin';
  const kept = Object.entries(hop.headers ?? {}).filter(([name]) => mayTravel(name.toLowerCase(), { to, from, body }));
  return { url: to.href, method, headers: Object.fromEntries(kept), ...(body === undefined ? {} : { body }) };
}

function mayTravel(name: string, { to, from, body }: { to: URL; from: URL; body: string | undefined }): boolean {
  if (name.startsWith('content-') && body === undefined) return false;
  return to.origin === from.origin || HARMLESS.includes(name);
}
