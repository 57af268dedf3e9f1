/** Cookies of the pages: of this host alone (`__Host-`), over https alone, and not for scripts. */
import type { Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';

/** `visit`: who is logged in. `login`: who was sent to the identity provider, and for which link. */
type CookieName = 'visit' | 'login';

export function readCookie(context: Context, name: CookieName): string | undefined {
  return getCookie(context, nameOf(name), 'host');
}

export function writeCookie(
  context: Context,
  name: CookieName,
  { text, lastsMs }: { readonly text: string; readonly lastsMs: number },
): void {
  setCookie(context, nameOf(name), text, { ...ATTRIBUTES, maxAge: Math.floor(lastsMs / 1000) });
}

export function dropCookie(context: Context, name: CookieName): void {
  deleteCookie(context, nameOf(name), ATTRIBUTES);
}

/** Lax: the way back from the identity provider and the authorization server begins at another site. */
const ATTRIBUTES = { prefix: 'host', path: '/', secure: true, httpOnly: true, sameSite: 'Lax' } as const;

function nameOf(name: CookieName): string {
  return `brainstem-${name}`;
}
